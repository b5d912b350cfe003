/* A run's job: from the file and the command line to options with nothing left open, and the
 * same for the job of a checkpoint. */
#include <stdio.h>
#include <string.h>

#include "elmpi/loader.h"
#include "elmpi/memory.h"
#include "train/run/run.h"

/* What a resumed run may change: how long and where, not what it computes. The length comes
 * first: see may_change_in. */
static const char *const may_change[] = {
    "optim.epochs",    "checkpoint.",       "data.store",
    "data.shards",     "data.threads",      "data.unreadable",
    "data.stage",      "run.name",          "run.init",
    "run.threads",     "run.binding",       "run.evaluate_every_epochs",
    "run.tensorboard", "run.stall_timeout", "run.nonfinite",
    "data.outside",    "data.verify",       NULL};

/* Without the length, where something looks at the whole of it: steps already done would have
 * been others. */
static const char *const *may_change_in(const elm_job_options *options)
{
    const bool whole = elm_lr_depends_on_length(&options->optim) ||
                       elm_loss_depends_on_length(&options->loss) ||
                       elm_sampler_depends_on_length(&options->data);
    return whole ? may_change + 1 : may_change;
}

/* Where a job comes from. */
typedef struct source {
    const char *file; /* its path, or */
    const char *text; /* itself, called */
    const char *name;
    const char *const *overrides;
    int override_count;
    const char *init; /* overrides run.init unless NULL */
    /* what backend, layout and precision stand for where the job leaves them open; NULL: not
     * known yet */
    const elm_candidate *chosen;
} source;

enum { OWN_MAX = 6 };

/* Overrides of our own, after the user's. */
typedef struct override_list {
    const char **all;
    int count;
    char own[OWN_MAX][ELM_TEXT_SIZE + 32];
    int own_count;
} override_list;

static int add_override(override_list *list, const char *key, const char *value, elm_error *err)
{
    char *text = list->own[list->own_count++];
    if (snprintf(text, sizeof list->own[0], "%s=%s", key, value) >= (int)sizeof list->own[0])
        return elm_error_set(err, ELM_EXIT_USAGE, "%s is too long (%.80s...): use a shorter path",
                             key, value);
    list->all[list->count++] = text;
    return 0;
}

static int parse(const source *from, const override_list *list, elm_job **job,
                 elm_job_options *options, elm_error *err)
{
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(options, sets);
    elm_job_destroy(*job);
    return from->text
               ? elm_job_parse(job, from->text, from->name, list->all, list->count, sets,
                               ELM_JOB_SETS, err)
               : elm_job_load(job, from->file, list->all, list->count, sets, ELM_JOB_SETS, err);
}

/* A network for the data set's images, where the job names none. */
static int choose_model(override_list *list, const elm_job_options *options, elm_error *err)
{
    elm_store *store;
    if (strcmp(options->model.name, ELM_NET_AUTO))
        return 0;
    if (elm_store_open(&store, options->data.store, err))
        return -1;
    const elm_store_info info = *elm_store_describe(store);
    elm_store_close(store);
    const int side = info.in_shards             ? (int)options->data.crop
                     : info.height > info.width ? info.height
                                                : info.width;
    return add_override(list, "model.name", elm_net_name_for(side, info.features), err);
}

static elm_choice_request request_of(const elm_job_options *options)
{
    return (elm_choice_request){options->run.backend, (elm_layout)options->run.layout,
                                (elm_precision)options->run.precision};
}

/* What a job of a checkpoint leaves open came later than the checkpoint: it stands for what was
 * computed then. */
static int choice_before(const elm_job_options *options, elm_candidate *chosen, elm_error *err)
{
    const elm_choice_request asked = request_of(options);
    *chosen = (elm_candidate){.backend = elm_net_resolve_backend(asked.backend, err),
                              .layout = asked.layout,
                              .precision = asked.precision};
    if (!chosen->backend)
        return -1;
    if (chosen->precision == ELM_PRECISION_AUTO)
        chosen->precision = ELM_PRECISION_FP32;
    if (chosen->layout == ELM_LAYOUT_AUTO)
        chosen->layout = elm_choice_layout_before(chosen->backend, chosen->precision);
    return 0;
}

/* What "auto" stands for is decided once and written down, so that a resume computes the same. */
static int decide(override_list *list, const elm_job_options *options, const elm_candidate *chosen,
                  elm_error *err)
{
    const elm_run_options *o = &options->run;
    const bool cosine = elm_trainer_head(&options->model, &options->loss) == ELM_HEAD_COSINE;
    if (choose_model(list, options, err))
        return -1;
    if (options->model.head == ELM_HEAD_AUTO &&
        add_override(list, "model.head", cosine ? "cosine" : "linear", err))
        return -1;
    if (!chosen)
        return 0;
    if ((o->precision == ELM_PRECISION_AUTO &&
         add_override(list, "run.precision", elm_precision_names[chosen->precision], err)) ||
        (o->layout == ELM_LAYOUT_AUTO &&
         add_override(list, "run.layout", elm_layout_names[chosen->layout], err)))
        return -1;
    return strcmp(o->backend, "auto") ? 0 : add_override(list, "run.backend", chosen->backend, err);
}

/* Owns:   *job to be destroyed; NULL after a failure */
static int resolve(const source *from, elm_job **job, elm_job_options *options, elm_error *err)
{
    override_list list = {
        .all = elm_alloc((size_t)from->override_count + OWN_MAX, sizeof *list.all, err)};
    elm_candidate before;
    *job = NULL;
    if (!list.all)
        return -1;
    for (int i = 0; i < from->override_count; i++)
        list.all[list.count++] = from->overrides[i];
    char init[ELM_TEXT_SIZE];
    if (from->init && elm_path_escape(from->init, init, sizeof init) >= sizeof init) {
        elm_free(list.all);
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "run.init = %.80s... is too long (--init): use a shorter path",
                             from->init);
    }
    int status = from->init ? add_override(&list, "run.init", init, err) : 0;
    if (!status)
        status = parse(from, &list, job, options, err);
    const int given = list.count;
    if (!status && from->text)
        status = choice_before(options, &before, err);
    if (!status)
        status = decide(&list, options, from->text ? &before : from->chosen, err);
    if (!status && list.count > given)
        status = parse(from, &list, job, options, err);
    elm_free(list.all);
    return status;
}

/* The job of this start; `init` goes before its run.init unless NULL. */
static int resolve_present(elm_run *run, const char *init, elm_error *err)
{
    const elm_run_request *request = run->request;
    const source from = {
        .file = request->job_file,
        .overrides = request->overrides,
        .override_count = request->override_count,
        .init = init,
        .chosen = run->chosen.backend ? &run->chosen : NULL,
    };
    elm_job_destroy(run->job);
    return resolve(&from, &run->job, &run->options, err);
}

int elm_run_settle_job(elm_run *run, const elm_candidate *chosen, elm_error *err)
{
    run->chosen = *chosen;
    return resolve_present(run, run->request->init, err);
}

/* Backend, layout and precision, as far as the job names them, must fit each other and this CPU. */
static int check_choice(elm_run *run, elm_error *err)
{
    elm_candidate list[ELM_CANDIDATES_MAX];
    elm_precision precision;
    int count;
    static const char *const backends[] = {"auto", "onednn", "openblas"};
    run->asked = request_of(&run->options);
    /* the options' own text changes when the job is settled */
    for (size_t b = 0; b < sizeof backends / sizeof *backends; b++)
        if (!strcmp(backends[b], run->asked.backend))
            run->asked.backend = backends[b];
    if (elm_net_resolve_precision(run->asked.precision, run->asked.backend, &precision, err))
        return -1;
    return elm_choice_list(&run->asked, list, &count, err);
}

/* What an embedding of two images at once is to be near to is not defined. */
static int check_mixing(const elm_job_options *options, elm_error *err)
{
    const elm_loss_options *loss = &options->loss;
    if (options->data.mix == ELM_MIX_NONE || !strcmp(loss->embed, "none") || loss->lambda == 0)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "the embedding of an image that is mixed of two belongs to no class, and "
                         "%.100s compares embeddings of classes (data.mix, loss.embed): choose "
                         "data.mix = none or loss.embed = none",
                         loss->embed);
}

int elm_run_load_job(elm_run *run, elm_error *err)
{
    if (resolve_present(run, run->request->init, err) || elm_loss_check(&run->options.loss, err) ||
        elm_optim_check(&run->options.optim, err) || check_choice(run, err) ||
        elm_run_check_best(&run->options, err) || check_mixing(&run->options, err))
        return -1;
    const int64_t part = elm_optim_microbatch(&run->options.optim);
    if (part < elm_comm_size(run->comm))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "%lld images at a time are fewer than the %d ranks (optim.batch / "
                             "optim.accumulate): use fewer ranks, a larger "
                             "batch or fewer parts",
                             (long long)part, elm_comm_size(run->comm));
    return 0;
}

int elm_run_check_start(const elm_run *run, elm_error *err)
{
    if (run->options.model.train == ELM_TRAIN_ALL || *run->options.run.init)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "parts of the network would keep their first, random values "
                         "(model.train): name the checkpoint of a first stage "
                         "with run.init or --init");
}

int elm_run_continue_job(elm_run *run, const elm_checkpoint *checkpoint, elm_error *err)
{
    /* Resolved by today's rows: an option that came later has its default there. */
    const source from = {.text = checkpoint->job, .name = "job of the checkpoint"};
    elm_job_options *before = elm_alloc(1, sizeof *before, err);
    elm_job *job = NULL;
    int status = before ? resolve(&from, &job, before, err) : -1;
    if (!status) { /* resolved once: it stays what it was, where this CPU can */
        elm_candidate chosen;
        status = choice_before(before, &chosen, err);
        if (!status && !elm_choice_can(&chosen))
            chosen.precision = ELM_PRECISION_FP32;
        status = status ? status : elm_run_settle_job(run, &chosen, err);
    }
    if (!status)
        status = elm_job_compare(elm_job_text(job), elm_job_text(run->job),
                                 may_change_in(&run->options), err);
    if (!status && *before->run.init && !*run->options.run.init)
        /* the first stage is part of what the weights are */
        status = resolve_present(run, before->run.init, err);
    elm_job_destroy(job);
    elm_free(before);
    return status;
}

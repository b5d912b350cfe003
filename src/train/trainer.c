#include "elmpi/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/long_tail.h"
#include "comm/gradient_sum.h"
#include "elmpi/memory.h"
#include "nn/weights.h"
#include "train/step.h"

void elm_trainer_destroy(elm_trainer *t)
{
    if (!t)
        return;
    elm_gradient_sum_destroy(t->gradient_sum);
    elm_class_gather_destroy(t->gather);
    elm_logit_gather_destroy(t->logit_gather);
    elm_bank_exchange_destroy(t->bank);
    elm_loss_destroy(t->loss);
    elm_weight_average_destroy(t->average);
    elm_net_destroy(t->net);
    for (int b = 0; b < ELM_OPTIMIZER_BLOCKS; b++)
        elm_free(t->block[b]);
    elm_free(t->kept_state);
    elm_free(t->accumulated);
    elm_free(t->decay);
    elm_free(t->starts);
    elm_free(t->group);
    elm_free(t);
}

/* Biases are decayed like weights; BatchNorm's parameters only when asked for. */
static void add_parameter(elm_trainer *t, const elm_net_parameters *view, int p)
{
    const bool decay = !view->is_norm[p] || t->optim.decay_bn;
    const int64_t start = view->tensors[p].offset - t->learning.first;
    t->starts[p - view->trainable_first] = start;
    if (t->decay_count && t->decay[t->decay_count - 1].decay == decay && !t->optimizer->by_tensor)
        t->decay[t->decay_count - 1].count += view->tensors[p].count;
    else
        t->decay[t->decay_count++] = (elm_decay_range){start, view->tensors[p].count, decay,
                                                       view->tensors[p].dimensions <= 1};
    t->learning.count += view->tensors[p].count;
}

static int create_blocks(elm_trainer *t, elm_error *err)
{
    const elm_net_parameters view = elm_net_view(t->net);
    for (int b = 0; b < ELM_OPTIMIZER_BLOCKS && t->optimizer->block[b]; b++)
        if (!(t->block[b] = elm_alloc((size_t)view.size, sizeof *t->block[b], err)))
            return -1;
    t->kept_state = elm_alloc((size_t)view.state_size, sizeof *t->kept_state, err);
    t->decay = t->kept_state ? elm_alloc((size_t)view.count, sizeof *t->decay, err) : NULL;
    t->starts = t->decay ? elm_alloc((size_t)view.count, sizeof *t->starts, err) : NULL;
    if (!t->starts)
        return -1;
    const int64_t first = view.tensors[view.trainable_first].offset;
    t->learning = (elm_trainable){first, 0, view.weights + first, view.gradients + first};
    for (int p = view.trainable_first; p < view.learn_end; p++)
        add_parameter(t, &view, p);
    if (t->optim.accumulate > 1 &&
        !(t->accumulated = elm_alloc((size_t)t->learning.count, sizeof *t->accumulated, err)))
        return -1;
    return 0;
}

/* The bias that the loss wants to begin with; weights from a file take its place. */
static void set_bias(elm_trainer *t, elm_loss_head head)
{
    const elm_net_parameters view = elm_net_view(t->net);
    for (int p = 0; p < view.count && head.bias_is_set; p++)
        if (!strcmp(view.tensors[p].name, "fc.bias"))
            for (int64_t i = 0; i < view.tensors[p].count; i++)
                view.tensors[p].data[i] = (float)head.bias;
    elm_net_weights_changed(t->net);
}

elm_net_head elm_trainer_head(const elm_model_options *model, const elm_loss_options *loss)
{
    if (model->head != ELM_HEAD_AUTO)
        return (elm_net_head)model->head;
    /* however many classes */
    return elm_loss_head_of(loss, 0).cosine ? ELM_HEAD_COSINE : ELM_HEAD_LINEAR;
}

static int *groups_of(elm_class_counts counts, elm_error *err)
{
    int *group = elm_alloc((size_t)counts.classes, sizeof *group, err);
    for (int c = 0; group && c < counts.classes; c++)
        group[c] = elm_class_group(counts.count[c]);
    return group;
}

static int create_local(elm_trainer *t, const elm_trainer_spec *spec, elm_error *err)
{
    const int size = elm_comm_size(t->comm);
    /* rank 0 has the largest share */
    const int local = elm_partition_of(elm_optim_microbatch(spec->optim), size, 0).local;
    elm_model_options model = *spec->model;
    model.head = elm_trainer_head(spec->model, spec->loss);
    const elm_net_spec net = {
        .model = &model,
        .channels = spec->data->channels,
        .height = spec->data->height,
        .width = spec->data->width,
        .features = spec->data->features,
        .classes = spec->data->classes,
        .max_images = local > spec->min_images ? local : spec->min_images,
        .max_batch = elm_optim_microbatch(spec->optim),
        .ranks = size,
        .backend = spec->backend,
        .precision = spec->precision,
        .layout = spec->layout,
        .seed = spec->seed,
        .reducer = elm_comm_reducer(t->comm),
    };
    t->optim = *spec->optim;
    t->optimizer = elm_optimizer_of(&t->optim);
    t->seed = spec->seed;
    t->input_values = spec->data->features
                          ? spec->data->features
                          : (int64_t)spec->data->channels * spec->data->height * spec->data->width;
    if (elm_net_create(&t->net, &net, err) || create_blocks(t, err) ||
        elm_weight_average_create(&t->average, t->net, t->optim.ema, err) ||
        !(t->group = groups_of(spec->counts, err)))
        return -1;
    set_bias(t, elm_loss_head_of(spec->loss, spec->data->classes));
    if (elm_loss_create(&t->loss, spec->loss, spec->counts, elm_net_width(t->net), local,
                        elm_optim_microbatch(spec->optim), err))
        return -1;
    t->needs = elm_loss_needs_of(t->loss);
    return 0;
}

static int create_bank_all(elm_trainer *t, const elm_trainer_spec *spec, elm_error *err)
{
    const int64_t part = elm_optim_microbatch(spec->optim);
    const elm_bank_exchange_spec bank = {
        .options = spec->loss,
        .counts = spec->counts,
        .labels = spec->labels,
        .width = elm_net_width(t->net),
        .max_local = elm_partition_of(part, elm_comm_size(t->comm), 0).local,
        .means = t->needs.reach != ELM_LOSS_OWNED,
        .part = part,
        .batch = spec->optim->batch,
    };
    return elm_bank_exchange_create_all(&t->bank, t->comm, &bank, err);
}

int elm_trainer_create_all(elm_trainer **out, const elm_trainer_spec *spec, elm_comm *comm,
                           elm_error *err)
{
    static const elm_gather_mode mode_of[] = {[ELM_LOSS_LOCAL] = ELM_GATHER_NONE,
                                              [ELM_LOSS_SAME_CLASS] = ELM_GATHER_SLICES,
                                              [ELM_LOSS_EVERYTHING] = ELM_GATHER_ALL,
                                              [ELM_LOSS_OWNED] = ELM_GATHER_NONE};
    elm_trainer *t = elm_alloc(1, sizeof *t, err);
    if (t)
        t->comm = comm;
    /* where t is NULL on any rank the agreement is -1 on all */
    if (elm_comm_agree_all(comm, t ? create_local(t, spec, err) : -1, err) || !t)
        goto fail;
    const elm_net_parameters view = elm_net_view(t->net);
    if (elm_gradient_sum_create_all(&t->gradient_sum, comm, t->learning.gradients,
                                    t->learning.count, t->starts,
                                    view.learn_end - view.trainable_first, spec->comm, err) ||
        elm_class_gather_create_all(&t->gather, comm, mode_of[t->needs.reach],
                                    elm_net_width(t->net), elm_optim_microbatch(spec->optim),
                                    spec->data->classes, err))
        goto fail;
    if (t->needs.logits &&
        elm_logit_gather_create_all(&t->logit_gather, comm, elm_optim_microbatch(spec->optim),
                                    spec->data->classes, err))
        goto fail;
    if (t->needs.bank && create_bank_all(t, spec, err))
        goto fail;
    *out = t;
    return 0;
fail:
    elm_trainer_destroy(t);
    return -1;
}

void elm_trainer_set_timeline(elm_trainer *t, elm_timeline *timeline)
{
    t->timeline = timeline;
    elm_net_set_timeline(t->net, timeline);
    elm_gradient_sum_set_timeline(t->gradient_sum, timeline);
}

elm_net *elm_trainer_net(elm_trainer *t)
{
    return t->net;
}

elm_loss *elm_trainer_loss(elm_trainer *t)
{
    return t->loss;
}

elm_bank_exchange *elm_trainer_bank(elm_trainer *t)
{
    return t->bank;
}

/* What the optimizer keeps, as checkpoint tensors; returns how many, and fills `tensors` unless it
 * is NULL. */
static int optimizer_tensors(elm_trainer *t, elm_tensor *tensors)
{
    const elm_net_parameters view = elm_net_view(t->net);
    int count = 0;
    for (int b = 0; b < ELM_OPTIMIZER_BLOCKS && t->block[b]; b++)
        for (int p = 0; p < view.count; p++, count++)
            if (tensors) {
                tensors[count] = view.tensors[p];
                snprintf(tensors[count].name, sizeof tensors->name, "optimizer/%.12s/%.70s",
                         t->optimizer->block[b], view.tensors[p].name);
                tensors[count].data = t->block[b] + view.tensors[p].offset;
            }
    if (t->optimizer->counts && tensors)
        tensors[count] = (elm_tensor){.name = "optimizer/updates",
                                      .dimensions = 1,
                                      .shape = {1},
                                      .count = 1,
                                      .data = &t->updates_saved};
    return count + t->optimizer->counts;
}

int elm_trainer_export(elm_trainer *t, elm_tensor **tensors, int *count, elm_error *err)
{
    const int weights = elm_weights_count(t->net), kept = optimizer_tensors(t, NULL),
              learned = elm_loss_tensors(t->loss, NULL, 0),
              averaged = elm_weight_average_tensors(t->average, t->net, NULL),
              room = weights + kept + learned + averaged;
    elm_tensor *all = elm_alloc((size_t)room, sizeof *all, err);
    if (!all || elm_weights_export(t->net, all, err)) {
        elm_free(all);
        return -1;
    }
    t->updates_saved = (float)t->updates;
    optimizer_tensors(t, all + weights);
    elm_loss_tensors(t->loss, all + weights + kept, learned);
    elm_weight_average_begin(t->average, t->net);
    elm_weight_average_tensors(t->average, t->net, all + weights + kept + learned);
    *tensors = all;
    *count = room;
    return 0;
}

static int take_over(const elm_checkpoint *checkpoint, const elm_tensor *mine, elm_error *err)
{
    const elm_tensor *saved = elm_checkpoint_tensor(checkpoint, mine->name);
    if (!saved || saved->count != mine->count)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "the checkpoint lacks %s (state of optimizer, loss or average): start from its "
            "weights alone with --init",
            mine->name);
    memcpy(mine->data, saved->data, (size_t)mine->count * sizeof *mine->data);
    return 0;
}

/* A count that its float holds exactly. The digest does not say who wrote it. */
static int take_updates(elm_trainer *t, elm_error *err)
{
    const float saved = t->updates_saved;
    if (!t->optimizer->counts)
        return 0;
    if (!(saved >= 0 && saved <= (float)ELM_UPDATES_COUNTED) || saved != floorf(saved))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "optimizer/updates is no number of updates (%g in the checkpoint, 0 "
                             "to %d are possible): start from its weights alone with --init",
                             (double)saved, ELM_UPDATES_COUNTED);
    t->updates = (int64_t)saved;
    return 0;
}

/* All that is not the network's own weights. */
static int import_rest(elm_trainer *t, const elm_checkpoint *checkpoint, elm_error *err)
{
    const int kept = optimizer_tensors(t, NULL), learned = elm_loss_tensors(t->loss, NULL, 0),
              count = kept + learned + elm_weight_average_tensors(t->average, t->net, NULL);
    elm_tensor *tensors = elm_alloc((size_t)count, sizeof *tensors, err);
    if (!tensors)
        return -1;
    optimizer_tensors(t, tensors);
    elm_loss_tensors(t->loss, tensors + kept, learned);
    elm_weight_average_tensors(t->average, t->net, tensors + kept + learned);
    int status = 0;
    for (int i = 0; i < count && !status; i++)
        status = take_over(checkpoint, &tensors[i], err);
    elm_free(tensors);
    if (!status)
        status = take_updates(t, err);
    elm_weight_average_resume(t->average);
    return status;
}

int elm_trainer_import(elm_trainer *t, const elm_checkpoint *checkpoint, elm_error *err)
{
    return elm_weights_load(t->net, checkpoint->tensors, checkpoint->tensor_count, err)
               ? -1
               : import_rest(t, checkpoint, err);
}

/* A program outside elmpi's tree: makes a small data set, trains on it on all ranks, and reads the
 * checkpoint. It is built against an installed libelmpi (tests/cli/test_library.sh):
 *
 *   cc example.c $(pkg-config --cflags --libs elmpi) && mpirun -np 2 ./a.out FOLDER */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <elmpi/checkpoint.h>
#include <elmpi/comm.h>
#include <elmpi/log.h>
#include <elmpi/prepare.h>
#include <elmpi/run.h>

static int write_job(const char *path, const char *store, elm_error *err)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot write the job (%s): check the folder",
                             path);
    fprintf(file,
            "[data]\nstore = %s\n[model]\nname = mlp:16,8,2\n[loss]\nlogit = logadj\nembed = pull\n"
            "lambda = 0.01\n[optim]\nepochs = 5\nbatch = 64\nlr = 0.05\n",
            store);
    return fclose(file) == 0
               ? 0
               : elm_error_set(err, ELM_EXIT_FAILURE, "disk full (%s): make room", path);
}

/* On rank 0: the store and the job. */
static int prepare(const char *store, const char *job, const elm_log *log, elm_error *err)
{
    const elm_prepare_request request = {.out = store, .force = true, .log = log};
    if (elm_prepare_run("two-moons", &request, err) != 0)
        return -1;
    return write_job(job, store, err);
}

/* On rank 0: what was trained. */
static int show(const char *path, elm_error *err)
{
    elm_checkpoint *checkpoint = NULL;
    if (elm_checkpoint_read(path, &checkpoint, err) != 0)
        return -1;
    int64_t weights = 0;
    for (int t = 0; t < checkpoint->tensor_count; t++)
        weights += checkpoint->tensors[t].count;
    printf("step %" PRId64 ": %d tensors of %" PRId64 " numbers, %d classes\n", checkpoint->step,
           checkpoint->tensor_count, weights, checkpoint->classes);
    elm_checkpoint_free(checkpoint);
    return 0;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    char store[4096], job[4096], run[4096], checkpoint[4096];
    snprintf(store, sizeof store, "%s/moons.h5", folder);
    snprintf(job, sizeof job, "%s/moons.ini", folder);
    snprintf(run, sizeof run, "%s/run", folder);
    snprintf(checkpoint, sizeof checkpoint, "%s/run/checkpoint.h5", folder);

    elm_comm *comm = NULL;
    elm_error err = {0};
    elm_log log = {.program = "example"};
    if (elm_comm_start_all(&comm, &argc, &argv, &err) != 0) {
        elm_log_error(&log, "%s", err.text);
        return err.code;
    }
    const int rank = elm_comm_rank(comm);
    log.quiet = rank != 0;
    int status = rank == 0 ? prepare(store, job, &log, &err) : 0;
    status = elm_comm_agree_all(comm, status, &err); /* all ranks fail where one has failed */
    if (status == 0) {
        const elm_run_request request = {
            .job_file = job, .run_dir = run, .max_steps = -1, .version = "example"};
        status = elm_run_train_all(&request, comm, &log, &err);
    }
    if (status == 0)
        status = elm_comm_agree_all(comm, rank == 0 ? show(checkpoint, &err) : 0, &err);
    if (status != 0)
        elm_log_error(&log, "%s", err.text);
    elm_comm_finish_all(comm);
    return status == 0 ? EXIT_SUCCESS : err.code;
}

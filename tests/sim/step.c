/* One elmpi training step on a simulated cluster (SimGrid's SMPI): how long the phases take and
 * which messages leave when was measured on a real node, how long messages take is simulated. Two
 * simulated processes a node: one computes, one stands for the messages' progress.
 *
 * smpirun -np 2N ... step PROFILE SPEED GATHER_BYTES METHOD
 *
 * PROFILE: lines "name seconds" and "bucket seconds bytes" (tests/sim/profile.py). SPEED: the
 * simulated node computes so many times faster. GATHER_BYTES: embeddings that every node
 * receives in a step, 0 for none. METHOD: how buckets are summed, see `methods`. Prints: nodes,
 * seconds of a step, of its computation, of waiting for embeddings, of waiting for gradients, of
 * agreement and update. */
#include <mpi.h>
#include <smpi/smpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a compute process asks for is the message's tag: a bucket's number or one of these. */
enum { MAX_BUCKETS = 1024, NAME = 32, GATHER = MAX_BUCKETS, END, DONE, DATA };

static char nothing; /* where messages come from and go to: only their sizes matter */

typedef struct profile {
    double forward, classify, pull, backward, update, state_bytes, message, reduce;
    int buckets;
    struct {
        double seconds, bytes; /* full so long after backward began */
    } bucket[MAX_BUCKETS];
} profile;

static const struct {
    const char *name;
    size_t at;
} numbers[] = {
    {"forward", offsetof(profile, forward)}, /* seconds, to the embeddings */
    /* the last layer and its loss, while embeddings travel */
    {"classify", offsetof(profile, classify)},
    {"pull", offsetof(profile, pull)},         /* the term over pairs */
    {"backward", offsetof(profile, backward)}, /* all of it */
    {"update", offsetof(profile, update)},     /* after all have agreed */
    /* running statistics, summed after the update */
    {"state_bytes", offsetof(profile, state_bytes)},
    {"message", offsetof(profile, message)}, /* a processor's work for a message */
    {"reduce", offsetof(profile, reduce)},   /* seconds to add a byte of what arrives */
};

static void fail(const char *what, const char *where)
{
    fprintf(stderr, "step: error: %s (%s)\n", what, where);
    MPI_Abort(MPI_COMM_WORLD, 1);
    exit(1);
}

static void read_line(profile *p, const char *line, const char *path)
{
    char name[NAME];
    double value, bytes = 0;
    const int read = sscanf(line, "%31s %lf %lf", name, &value, &bytes);
    if (read < 2 || value < 0)
        fail("not a line of a profile", path);
    if (!strcmp(name, "bucket") && read == 3 && p->buckets < MAX_BUCKETS) {
        p->bucket[p->buckets].seconds = value;
        p->bucket[p->buckets++].bytes = bytes;
        return;
    }
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
        if (!strcmp(name, numbers[n].name)) {
            *(double *)((char *)p + numbers[n].at) = value;
            return;
        }
    fail("not a line of a profile", line);
}

static void read_profile(profile *p, const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    if (!file)
        fail("cannot read the profile", path);
    while (fgets(line, sizeof line, file))
        read_line(p, line, path);
    fclose(file);
}

/* The simulated processor does 1e9 operations a second. */
static void work(double seconds)
{
    if (seconds > 0)
        smpi_execute_flops(seconds * 1e9);
}

typedef struct traffic {
    const profile *p;
    int rank, size; /* nodes */
    int kind;       /* 0: their computing processes, 1: their messages' */
} traffic;

/* Two processes a node, told apart by parity: a communicator for each kind would take SMPI
 * minutes to make. */
static int process(const traffic *t, int node)
{
    return 2 * node + t->kind;
}

/* SMPI copies what the plain forms send; these wait for the receiver and copy nothing (see
 * copy_nothing). */
static void put(const traffic *t, int partner, double bytes)
{
    MPI_Ssend(&nothing, (int)bytes, MPI_BYTE, process(t, partner), DATA, MPI_COMM_WORLD);
}

static void get(const traffic *t, int partner, double bytes)
{
    MPI_Recv(&nothing, (int)bytes, MPI_BYTE, process(t, partner), DATA, MPI_COMM_WORLD,
             MPI_STATUS_IGNORE);
    work(t->p->message);
}

static void swap(const traffic *t, int partner, double bytes)
{
    MPI_Request request;
    MPI_Issend(&nothing, (int)bytes, MPI_BYTE, process(t, partner), DATA, MPI_COMM_WORLD, &request);
    get(t, partner, bytes);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
}

/* Halving and doubling, what elmpi asks Open MPI for. */
static void sum_halving(const traffic *t, double bytes)
{
    for (int distance = t->size / 2; distance >= 1; distance /= 2) {
        bytes /= 2;
        swap(t, t->rank ^ distance, bytes);
        work(bytes * t->p->reduce);
    }
    for (int distance = 1; distance < t->size; distance *= 2, bytes *= 2)
        swap(t, t->rank ^ distance, bytes);
}

/* Up a binomial tree and down again, Open MPI's default for sums in place. */
static void sum_binomial(const traffic *t, double bytes)
{
    int distance = 1;
    for (; distance < t->size && !(t->rank & distance); distance *= 2) {
        get(t, t->rank + distance, bytes);
        work(bytes * t->p->reduce);
    }
    if (t->rank) {
        put(t, t->rank - distance, bytes);
        get(t, t->rank - distance, bytes);
    }
    for (distance /= 2; distance >= 1; distance /= 2)
        put(t, t->rank + distance, bytes);
}

/* Everybody sends everybody else `bytes`: simulated as log2(size) messages of the same volume in
 * all and a processor's work for each of the size - 1 messages, since a million messages a step
 * cannot be simulated one by one. */
static void exchange(const traffic *t, double bytes)
{
    int rounds = 0;
    for (int distance = 1; distance < t->size; distance *= 2)
        rounds++;
    work(t->p->message * (t->size - 1 - rounds));
    for (int distance = 1; distance < t->size; distance *= 2)
        swap(t, t->rank ^ distance, bytes * (t->size - 1) / rounds);
}

/* comm.compress = bf16: shares of half the bytes to their owners, added there, and back. */
static void sum_bf16(const traffic *t, double bytes)
{
    work(bytes * t->p->reduce);
    exchange(t, bytes / 2 / t->size);
    work(bytes * t->p->reduce);
    exchange(t, bytes / 2 / t->size);
}

static const struct {
    const char *name;
    void (*sum)(const traffic *t, double bytes);
} methods[] = {{"halving", sum_halving}, {"binomial", sum_binomial}, {"bf16", sum_bf16}};

static void (*find_method(const char *name))(const traffic *t, double bytes)
{
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
        if (!strcmp(methods[m].name, name))
            return methods[m].sum;
    fail("no such method", name);
    return NULL;
}

static void tell(int neighbor, int what)
{
    MPI_Send(&nothing, 0, MPI_BYTE, neighbor, what, MPI_COMM_WORLD);
}

/* The messages' process: does what its neighbor asks for, in that order. */
static void carry(const profile *p, const traffic *t, int neighbor, double gather_bytes,
                  void (*sum)(const traffic *t, double bytes))
{
    MPI_Status status = {0};
    while (status.MPI_TAG != END) {
        MPI_Recv(&nothing, 0, MPI_BYTE, neighbor, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        const int what = status.MPI_TAG;
        if (what == GATHER)
            exchange(t, gather_bytes / t->size);
        else if (what < p->buckets)
            sum(t, p->bucket[what].bytes);
        if (what == GATHER || what == p->buckets - 1)
            tell(neighbor, DONE);
    }
}

/* Returns the seconds waited. */
static double await(int neighbor)
{
    const double begun = MPI_Wtime();
    MPI_Recv(&nothing, 0, MPI_BYTE, neighbor, DONE, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return MPI_Wtime() - begun;
}

typedef struct times {
    double step, compute, gather, allreduce, update;
} times;

/* src/train/step.c's order of events. */
static times step(const profile *p, double speed, const traffic *t, int neighbor, bool gathers)
{
    times took = {.compute = (p->forward + p->classify + p->pull + p->backward) / speed};
    const double begun = MPI_Wtime();
    work(p->forward / speed);
    if (gathers)
        tell(neighbor, GATHER);
    work(p->classify / speed);
    if (gathers)
        took.gather = await(neighbor);
    work(p->pull / speed);
    double at = 0;
    for (int b = 0; b < p->buckets; b++) {
        work((p->bucket[b].seconds - at) / speed);
        at = p->bucket[b].seconds;
        tell(neighbor, b);
    }
    work((p->backward - at) / speed);
    took.allreduce = await(neighbor);
    const double last = MPI_Wtime();
    sum_halving(t, 16 * sizeof(double)); /* all agree */
    work(p->update / speed);
    sum_halving(t, p->state_bytes);
    took.update = MPI_Wtime() - last;
    took.step = MPI_Wtime() - begun;
    return took;
}

static void compute(const profile *p, double speed, const traffic *t, int neighbor, bool gathers)
{
    const times took = step(p, speed, t, neighbor, gathers);
    tell(neighbor, END);
    if (t->rank == 0)
        printf("%d,%.6f,%.6f,%.6f,%.6f,%.6f\n", t->size, took.step, took.compute, took.gather,
               took.allreduce, took.update);
}

static void copy_nothing(smx_activity_t message, void *from, size_t bytes)
{
    (void)message;
    (void)from;
    (void)bytes;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    if (argc != 5)
        fail("usage: step PROFILE SPEED GATHER_BYTES METHOD", "command line");
    profile p = {0};
    read_profile(&p, argv[1]);
    const double speed = atof(argv[2]), gather_bytes = atof(argv[3]);
    void (*const sum)(const traffic *t, double bytes) = find_method(argv[4]);
    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const traffic t = {.p = &p, .rank = rank / 2, .size = size / 2, .kind = rank % 2};
    if (t.size & (t.size - 1))
        fail("the number of nodes must be a power of two", argv[0]);
    smpi_comm_set_copy_data_callback(copy_nothing);
    if (rank % 2)
        carry(&p, &t, rank - 1, gather_bytes, sum);
    else
        compute(&p, speed, &t, rank + 1, gather_bytes > 0 && t.size > 1);
    MPI_Finalize();
    return 0;
}

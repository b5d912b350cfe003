/* Comm: the ranks of a job, what they agree on and what they sum. The only module that uses MPI
 * and BLACS. MPI failures abort the job, so that no rank waits for one that failed. */
#ifndef ELMPI_COMM_H
#define ELMPI_COMM_H

#include <stddef.h>
#include <stdint.h>

#include "elmpi/option.h"
#include "elmpi/reduce.h"
#include "elmpi/status.h"
#include "elmpi/ticker.h"
#include "elmpi/watchdog.h"

/** [comm] of a job file. */
typedef struct elm_comm_options {
    int compress;       /* elm_compression */
    int64_t bucket_kib; /* of gradients, at least */
} elm_comm_options;
extern const elm_option elm_comm_option_rows[];

/** How gradients travel: comm.compress. */
typedef enum elm_compression {
    ELM_COMPRESS_NONE, /* fp32 */
    ELM_COMPRESS_BF16, /* rounded to bf16 for the wire, summed in fp32 */
} elm_compression;

typedef struct elm_comm elm_comm;

/** Starts MPI (MPI_THREAD_FUNNELED) and duplicates a communicator for each kind of traffic, so that
 * their messages cannot be confused.
 *  Ranks:  collective over all started processes
 *  Owns:   the caller, until elm_comm_finish_all
 *  Errors: -1 when the MPI library lacks the thread level */
int elm_comm_start_all(elm_comm **comm, int *argc, char ***argv, elm_error *err);

/** Ends MPI. Every rank must have left its last collective. Accepts NULL. */
void elm_comm_finish_all(elm_comm *comm);

/** The watchdog to which collective work reports this rank's phase; NULL: none. Borrowed. Local. */
void elm_comm_set_watch(elm_comm *comm, elm_watchdog *watch);
elm_watchdog *elm_comm_watch(const elm_comm *comm);
/** The ticker that logs the progress of long work; NULL: none. Borrowed. Local. */
void elm_comm_set_ticker(elm_comm *comm, elm_ticker *ticker);
elm_ticker *elm_comm_ticker(const elm_comm *comm);

/** Ends the whole job at once with `code`, from any rank, in any state. */
_Noreturn void elm_comm_abort(const elm_comm *comm, int code);

int elm_comm_rank(const elm_comm *comm);
int elm_comm_size(const elm_comm *comm);
/** This rank's place among, and the number of, ranks on its own host. */
int elm_comm_local_rank(const elm_comm *comm);
int elm_comm_local_size(const elm_comm *comm);
/** Ranks of this host that may run on exactly the same cores as this one, itself among them. */
int elm_comm_core_sharers(const elm_comm *comm);

/** Agrees on a local outcome: `status` is 0 or -1 (then `err` has the reason).
 *  Ranks:  collective; returns -1 on every rank when any rank gave -1, with the lowest failing
 *          rank's code and text in `err` everywhere, prefixed "rank N: " when size > 1 unless
 *          the code is ELM_EXIT_USAGE (a wrong job file is wrong on any rank) */
int elm_comm_agree_all(elm_comm *comm, int status, elm_error *err);

/** An error unless every rank passes the same text (a job, a list of libraries). `what`
 * names the thing in the error, which shows the first line that differs, of rank 0 and of the
 * lowest rank with another.
 *  Ranks:  collective, any length per rank */
int elm_comm_same_all(elm_comm *comm, const char *what, const char *text, elm_error *err);

void elm_comm_barrier_all(elm_comm *comm);
/* from rank 0; any size */
void elm_comm_broadcast_all(elm_comm *comm, void *bytes, size_t size_bytes);
void elm_comm_sum_all(elm_comm *comm, double *values, int64_t count); /* in place */
void elm_comm_sum_counts_all(elm_comm *comm, int64_t *values, int64_t count);
void elm_comm_max_all(elm_comm *comm, double *values, int64_t count);
void elm_comm_sum_floats_all(elm_comm *comm, float *values, int64_t count);
void elm_comm_or_all(elm_comm *comm, uint8_t *bits, int64_t size_bytes);
/** Concatenates every rank's bytes in rank order on rank 0; `sizes` [size] on rank 0 may be NULL
 * elsewhere.
 *  Owns:   *gathered is allocated on rank 0 (elm_free) and NULL elsewhere */
int elm_comm_gather_bytes_all(elm_comm *comm, const void *bytes, size_t size_bytes, void **gathered,
                              size_t *sizes, elm_error *err);

/** Global sums for synchronized BatchNorm, on a communicator of their own. Valid as long as
 * `comm`. */
elm_reducer elm_comm_reducer(elm_comm *comm);

/** One line about the MPI library, for logs. */
void elm_comm_describe(const elm_comm *comm, char *text, size_t size_bytes);

#endif

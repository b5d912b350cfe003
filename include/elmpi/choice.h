/* Choice: backend, layout and precision of a network, chosen by measuring
 * candidates on the network's own shapes. What is quickest depends on CPU, shapes and library;
 * only a measurement shows.
 *
 * Candidates stand in a fixed order of preference, and one is passed over only for another that
 * is clearly quicker (elm_choice_pick); what was measured is kept in a cache, so that timing
 * noise does not make two runs of one job differ. Everything here is local; agreement between
 * ranks is elm_run_choose_all's (run.h). */
#ifndef ELMPI_CHOICE_H
#define ELMPI_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "elmpi/net.h"
#include "elmpi/status.h"

typedef struct elm_candidate {
    const char *backend;
    elm_layout layout;
    elm_precision precision;
    double seconds; /* an image on one rank; 0: not measured; INFINITY: cannot compute here */
    /* the measurement ended early: it takes longer than `seconds`, and that is too long */
    bool cut;
} elm_candidate;

enum { ELM_CANDIDATES_MAX = 8, ELM_CANDIDATE_TEXT_SIZE = 64 };

/** What a job fixes, and what it leaves open: backend "auto", ELM_LAYOUT_AUTO,
 * ELM_PRECISION_AUTO. */
typedef struct elm_choice_request {
    const char *backend;
    elm_layout layout;
    elm_precision precision;
} elm_choice_request;

/** The candidates that fit a request, in order of preference; those that this CPU cannot compute
 * have seconds INFINITY. The same list on every rank of one build, but for that.
 *  Errors: -1 for an unknown backend, and where nothing fits (such as run.layout = nhwc over
 *          OpenBLAS) */
int elm_choice_list(const elm_choice_request *request, elm_candidate list[ELM_CANDIDATES_MAX],
                    int *count, elm_error *err);

/** "onednn nhwc bf16" */
const char *elm_choice_text(const elm_candidate *candidate, char text[ELM_CANDIDATE_TEXT_SIZE]);

/** Times the passes of the network's distinct layers, as often as they occur, for each candidate
 * that can compute here: forward and backward where the spec trains, else forward. Takes a part of
 * spec->max_images where the network is large. Threads are OpenMP's. A network without convolutions
 * is not measured: its seconds stay 0.
 *  Errors: model, memory */
int elm_choice_measure(elm_candidate *list, int count, const elm_net_spec *spec, elm_error *err);

/** The first candidate within a few per cent of the quickest. */
int elm_choice_pick(const elm_candidate *list, int count);

/** What a backend without a choice computed in, before there was one: jobs of that time name no
 * layout. */
elm_layout elm_choice_layout_before(const char *backend, elm_precision precision);

/** Whether this CPU computes the candidate. */
bool elm_choice_can(const elm_candidate *candidate);

/** Text that names everything a measurement depends on: CPU, instruction set, libraries, build,
 * ranks, threads, network, images. */
void elm_choice_key(const elm_net_spec *spec, char *text, size_t size_bytes);

/** The kept measurement with that key: fills the list's seconds and returns true, or returns
 * false, with the reason in `note` when there is a file that cannot be used (note[0] == 0
 * otherwise). Its folder is $ELMPI_CACHE ("off": none), $XDG_CACHE_HOME/elmpi or ~/.cache/elmpi. */
bool elm_choice_cache_read(const char *key, elm_candidate *list, int count, char *note,
                           size_t size_bytes);

/** Keeps a measurement, atomically. Where that fails, `note` says why; the run does without. */
void elm_choice_cache_write(const char *key, const elm_candidate *list, int count, char *note,
                            size_t size_bytes);

#endif

/* Status of a call: how errors travel in elmpi.
 *
 * A function that can fail returns 0 or -1 and takes an `elm_error *` last, which it fills on
 * failure. Broken invariants and MPI failures do not come back: they abort the job. */
#ifndef ELMPI_STATUS_H
#define ELMPI_STATUS_H

/** Exit codes of every program. */
enum {
    ELM_EXIT_SUCCESS = 0,
    ELM_EXIT_FAILURE = 1,  /* run-time failure */
    ELM_EXIT_USAGE = 2,    /* wrong command line or job file */
    ELM_EXIT_STOPPED = 75, /* stopped on request; --resume continues */
};

/** An error on its way to the user: the exit code it asks for and "<what> (<where>): <what to
 * do>". */
typedef struct elm_error {
    int code;
    char text[1024];
} elm_error;

/** Fills `err` (which may be NULL) and returns -1, so that a caller can write `return
 * elm_error_set(...)`.
 *  Shape:  text is cut at its capacity, never overrun */
int elm_error_set(elm_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The name among `count` names that is nearest to `name` by edit distance, or NULL if none is
 * near enough to be a slip of the fingers. */
const char *elm_nearest_name(const char *name, const char *const *names, int count);

/** A name that is none of `names`. */
typedef struct elm_unknown {
    const char *what, *name; /* "loss", "logajd" */
    const char *place;       /* where it stands: "loss.logit" */
    const char *const *names;
    int count;
    const char *valid; /* what may be given, as text; NULL: the names */
} elm_unknown;

/** Fills `err`: "unknown loss logajd (loss.logit): did you mean logadj? Else use one of ce, ...",
 * the question only where a name is near. Returns -1.
 *  Errors: ELM_EXIT_USAGE */
int elm_error_unknown(elm_error *err, const elm_unknown *unknown);

#endif

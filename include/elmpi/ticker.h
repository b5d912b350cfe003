/* Ticker: long work that is silent says once a minute what it is at, so that a log without a
 * terminal does not look dead. */
#ifndef ELMPI_TICKER_H
#define ELMPI_TICKER_H

#include <stdint.h>

#include "elmpi/log.h"
#include "elmpi/status.h"

/** Seconds between lines: 60, or what ELMPI_PROGRESS_SECONDS says. */
double elm_ticker_seconds(void);

typedef struct elm_ticker elm_ticker;

/** Starts its thread, which writes to `log` (borrowed).
 *  Owns:   the caller destroys */
int elm_ticker_create(elm_ticker **ticker, const elm_log *log, double seconds, elm_error *err);
/** Accepts NULL, as do all of the following. */
void elm_ticker_destroy(elm_ticker *ticker);

/** Work begins: `what` (copied) of `total` pieces, 0 where they cannot be counted. Work under
 * way before is forgotten. */
void elm_ticker_begin(elm_ticker *ticker, const char *what, int64_t total);
void elm_ticker_advance(elm_ticker *ticker, int64_t done);
/** Nothing is to be said until the next begin. */
void elm_ticker_end(elm_ticker *ticker);

#endif

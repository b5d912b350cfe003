/* Ticker: logs once a minute what long work is doing, so that a batch job's log shows progress. */
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

/** Work begins: `what` (copied) of `total` pieces, 0 where they cannot be counted. It replaces
 * work that has not ended. */
void elm_ticker_begin(elm_ticker *ticker, const char *what, int64_t total);
void elm_ticker_advance(elm_ticker *ticker, int64_t done);
/** No more lines until the next begin. */
void elm_ticker_end(elm_ticker *ticker);

#endif

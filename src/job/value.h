/* Value: one option's value as text and in its module's struct. */
#ifndef ELMPI_JOB_VALUE_H
#define ELMPI_JOB_VALUE_H

#include "elmpi/option.h"

enum { ELM_VALUE_SIZE = ELM_TEXT_SIZE, ELM_PLACE_SIZE = 1200 };

/** Where the row's value lies. */
static inline void *elm_value_at(const elm_option_set *set, const elm_option *row)
{
    return (char *)set->values + row->offset;
}

/** Parses `text` into `value`. `place` says in errors where the text stands: "job.ini:12".
 *  Errors: ELM_EXIT_USAGE: not of the row's type, out of range, refused by the row's check;
 *          *value is undefined then */
int elm_value_parse(const elm_option *row, void *value, const char *text, const char *place,
                    elm_error *err);

/** The value as text that parses back to the same value.
 *  Shape:  text [ELM_VALUE_SIZE] */
void elm_value_print(const elm_option *row, const void *value, char *text);

/** What a value has to look like: "a number of at least 0".
 *  Shape:  text [size] */
void elm_value_describe(const elm_option *row, char *text, int size);

#endif

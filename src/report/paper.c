#include "report/paper.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/paper_table.h"

enum { FIELDS = 8, FIELD = 64 };

/* Splits a line of the table; returns the character after it. */
static const char *split(const char *line, char fields[FIELDS][FIELD], int *count)
{
    for (*count = 0; *line != '\n' && *line != '\0'; line += *line == ',') {
        const size_t length = strcspn(line, ",\n");
        if (*count < FIELDS)
            snprintf(fields[(*count)++], FIELD, "%.*s", (int)length, line);
        line += length;
    }
    return *line == '\n' ? line + 1 : line;
}

double elm_paper_accuracy(const char *run, char *method)
{
    char head[FIELDS][FIELD], row[FIELDS][FIELD], job[2 * FIELD + 2];
    int columns = 0, fields;
    size_t longest = 0;
    double accuracy = NAN;
    for (const char *line = paper_table; *line != '\0';) {
        if (*line == '#' || columns == 0) { /* a remark, then the names of the columns */
            line = *line == '#' ? line + strcspn(line, "\n") + 1 : split(line, head, &columns);
            continue;
        }
        line = split(line, row, &fields);
        for (int c = 3; c < fields && c < columns; c++) {
            const int length = snprintf(job, sizeof job, "%s-%s", head[c], row[1]);
            const char next = strncmp(run, job, (size_t)length) == 0 ? run[length] : 'x';
            if (strcmp(row[2], "fc") != 0 || (next != '\0' && next != '-') ||
                (size_t)length <= longest)
                continue;
            longest = (size_t)length; /* ce-drw is not ce */
            accuracy = strtod(row[c], NULL);
            snprintf(method, FIELD, "%s", row[0]);
        }
    }
    return accuracy;
}

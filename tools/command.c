#include "command.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu/kernels.h"
#include "versions.h"

static const elm_flag builtin_flags[] = {
    {"--help", ELM_FLAG_SWITCH, NULL, 0, 0, NULL, "print this help and exit"},
    {"--version", ELM_FLAG_SWITCH, NULL, 0, 0, NULL,
     "print version, commit, kinds of CPU and libraries, and exit"},
    {0},
};

static void print_flags(const elm_flag *flags)
{
    for (; flags->name != NULL; flags++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", flags->name,
                 flags->argument != NULL ? flags->argument : "");
        printf("  %-24s %s%s\n", left, flags->help,
               flags->type == ELM_FLAG_LIST ? " (repeatable)" : "");
    }
}

static void print_help(const elm_command *command)
{
    printf("usage: %s %s\n\n%s\n\n", command->program, command->usage, command->summary);
    print_flags(command->flags);
    for (const elm_topic *topic = command->topics; topic != NULL && topic->name != NULL; topic++)
        printf("  %-24s %s\n", topic->name, topic->help);
    print_flags(builtin_flags);
    if (command->more_help != NULL) {
        printf("\n");
        command->more_help();
    }
}

static void print_version(const elm_command *command)
{
    char name[ELM_CPU_NAME_SIZE];
    printf("%s %s\nkernels for", command->program, command->version);
    for (int i = 0; i < ELM_KERNEL_SET_COUNT; i++)
        printf("%s %s", i ? "," : "", elm_isa_names[i]);
    printf("; this CPU (%s) has %s\n", elm_cpu_name(name), elm_isa_names[elm_cpu_best()]);
    elm_versions_print();
}

static const elm_flag *find_flag(const elm_flag *flags, const char *name, size_t length)
{
    for (; flags->name != NULL; flags++)
        if (strlen(flags->name) == length && strncmp(flags->name, name, length) == 0)
            return flags;
    return NULL;
}

static elm_command_result unknown_flag(const elm_command *command, const char *name, size_t length,
                                       elm_error *err)
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX];
    int count = 0;
    for (const elm_flag *flag = command->flags; flag->name != NULL && count < NAMES_MAX; flag++)
        names[count++] = flag->name;
    for (const elm_topic *topic = command->topics;
         topic != NULL && topic->name != NULL && count < NAMES_MAX; topic++)
        names[count++] = topic->name;
    for (const elm_flag *flag = builtin_flags; flag->name != NULL && count < NAMES_MAX; flag++)
        names[count++] = flag->name;
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)length, name);
    const char *nearest = elm_nearest_name(text, names, count);
    if (nearest != NULL)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "unknown flag %s (command line): did you mean %s? --help lists all",
                             text, nearest);
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "unknown flag %s (command line): --help lists the valid ones", text);
}

static bool in_range(const elm_flag *flag, double value)
{
    return (flag->min == 0 && flag->max == 0) || (value >= flag->min && value <= flag->max);
}

static elm_command_result bad_number(const elm_flag *flag, const char *text, elm_error *err)
{
    const char *kind = flag->type == ELM_FLAG_INT ? "a whole number" : "a number";
    if (flag->min == 0 && flag->max == 0)
        return elm_error_set(err, ELM_EXIT_USAGE, "bad value \"%s\" (%s): give %s", text,
                             flag->name, kind);
    return elm_error_set(err, ELM_EXIT_USAGE, "bad value \"%s\" (%s): give %s from %.12g to %.12g",
                         text, flag->name, kind, flag->min, flag->max);
}

static elm_command_result set_value(const elm_flag *flag, const char *text, elm_error *err)
{
    char *end = NULL;
    errno = 0;
    switch (flag->type) {
    case ELM_FLAG_SWITCH:
        *(bool *)flag->value = true;
        return ELM_COMMAND_RUN;
    case ELM_FLAG_TEXT:
        if (text[0] == '\0')
            return elm_error_set(err, ELM_EXIT_USAGE, "empty value (%s): give %s", flag->name,
                                 flag->argument);
        *(const char **)flag->value = text;
        return ELM_COMMAND_RUN;
    case ELM_FLAG_INT: {
        const long long value = strtoll(text, &end, 10);
        if (end == text || *end != '\0' || errno != 0 || !in_range(flag, (double)value))
            return bad_number(flag, text, err);
        *(int64_t *)flag->value = value;
        return ELM_COMMAND_RUN;
    }
    case ELM_FLAG_REAL: {
        const double value = strtod(text, &end);
        if (end == text || *end != '\0' || !isfinite(value) || !in_range(flag, value))
            return bad_number(flag, text, err);
        *(double *)flag->value = value;
        return ELM_COMMAND_RUN;
    }
    case ELM_FLAG_LIST: {
        elm_text_list *list = flag->value;
        if (list->count == ELM_LIST_MAX)
            return elm_error_set(err, ELM_EXIT_USAGE, "too many values (%s): at most %d",
                                 flag->name, ELM_LIST_MAX);
        list->item[list->count++] = text;
        return ELM_COMMAND_RUN;
    }
    }
    return ELM_COMMAND_ERROR;
}

static const elm_topic *find_topic(const elm_topic *topics, const char *name)
{
    for (; topics != NULL && topics->name != NULL; topics++)
        if (strcmp(topics->name, name) == 0)
            return topics;
    return NULL;
}

static elm_command_result print_topic(const elm_command *command, const elm_topic *topic,
                                      elm_error *err)
{
    return topic->print(command->quiet, err) == 0 ? ELM_COMMAND_DONE : ELM_COMMAND_ERROR;
}

/* argv[*i] is a flag: sets its value, moving *i on to a value given as the next argument. */
static elm_command_result parse_flag(elm_command *command, int argc, char **argv, int *i,
                                     elm_error *err)
{
    const char *text = argv[*i];
    const char *equals = strchr(text, '=');
    const size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
    if (find_flag(builtin_flags, text, length) != NULL) {
        if (!command->quiet && text[2] == 'h')
            print_help(command);
        else if (!command->quiet)
            print_version(command);
        return ELM_COMMAND_DONE;
    }
    const elm_topic *topic = find_topic(command->topics, text);
    if (topic != NULL)
        return print_topic(command, topic, err);
    const elm_flag *flag = find_flag(command->flags, text, length);
    if (flag == NULL)
        return unknown_flag(command, text, length, err);
    if (flag->type == ELM_FLAG_SWITCH && equals != NULL)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "a value that is not wanted (%s): give the flag alone", flag->name);
    if (flag->type == ELM_FLAG_SWITCH || equals != NULL)
        return set_value(flag, equals != NULL ? equals + 1 : "", err);
    if (*i + 1 == argc)
        return elm_error_set(err, ELM_EXIT_USAGE, "missing value (%s): give %s %s", flag->name,
                             flag->name, flag->argument);
    return set_value(flag, argv[++*i], err);
}

elm_command_result elm_command_parse(elm_command *command, int argc, char **argv, elm_error *err)
{
    /* Words are collected in argv's own front: a word never stands before its own place there. */
    command->words = (const char **)argv + (argc > 0 ? 1 : 0);
    command->word_count = 0;
    bool flags_ended = false;
    for (int i = 1; i < argc; i++) {
        if (!flags_ended && strcmp(argv[i], "--") == 0) {
            flags_ended = true;
        } else if (!flags_ended && argv[i][0] == '-' && argv[i][1] != '\0') {
            const elm_command_result result = parse_flag(command, argc, argv, &i, err);
            if (result != ELM_COMMAND_RUN)
                return result;
        } else {
            command->words[command->word_count++] = argv[i];
        }
    }
    if (command->word_count < command->min_words)
        return elm_error_set(err, ELM_EXIT_USAGE, "%s is missing (command line): usage: %s %s",
                             command->word_name, command->program, command->usage);
    if (command->word_count > command->max_words)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "one argument too many: %s (command line): usage: %s %s",
                             command->words[command->max_words], command->program, command->usage);
    return ELM_COMMAND_RUN;
}

#include "base/cpu/cpu_identity.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Lines of /proc/cpuinfo: x86's, then Arm's, which has no names but numbers. */
static const char *const keys[] = {
    "vendor_id",        "cpu family",  "model",    "model name",   "stepping", "CPU implementer",
    "CPU architecture", "CPU variant", "CPU part", "CPU revision", NULL};

static bool is_wanted(const char *key)
{
    for (const char *const *k = keys; *k; k++)
        if (!strcmp(*k, key))
            return true;
    return false;
}

void elm_cpu_identity(char *text, size_t size_bytes)
{
    char line[512];
    size_t used = 0;
    FILE *file = fopen("/proc/cpuinfo", "r");
    *text = '\0';
    while (file && fgets(line, sizeof line, file) && (*line != '\n' || !used)) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        char *end = colon;
        while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        *end = '\0';
        colon[1 + strcspn(colon + 1, "\n")] = '\0';
        if (is_wanted(line) && used < size_bytes) {
            const int length = snprintf(text + used, size_bytes - used, "%s%s", used ? ", " : "",
                                        colon + 1 + strspn(colon + 1, " \t"));
            used += length > 0 ? (size_t)length : 0;
        }
    }
    if (file)
        fclose(file);
    if (!*text)
        snprintf(text, size_bytes, "unknown");
}

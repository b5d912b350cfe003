#include "prepare/archives/archive_state.h"

#include <archive.h>
#include <stdio.h>
#include <string.h>

#include "base/text/utf8.h"

const char *elm_archive_cause(const elm_archive *archive)
{
    if (archive->cause[0] != '\0')
        return archive->cause;
    const char *cause = elm_stream_cause(archive->stream);
    if (cause == NULL && archive->reader != NULL)
        cause = archive_error_string(archive->reader);
    return cause != NULL ? cause : "unknown cause";
}

int elm_archive_refuse(const elm_archive *archive, elm_error *err)
{
    const char *cause = elm_archive_cause(archive);
    char shown[400];
    const bool secret = strstr(cause, "ncrypt") != NULL || strstr(cause, "assphrase") != NULL ||
                        strstr(cause, "rypto codec") != NULL;
    if (secret)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "an encrypted archive (%s): %s: unpack it with its password and give the folder",
            archive->name, cause);
    if (archive->advised)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the archive (%s): %s",
                             archive->name, cause);
    if (archive->entry[0] == '\0')
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "cannot read the archive (%s): %s: check that it is the original "
                             "file, or download it again",
                             archive->name, cause);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "truncated or corrupt archive (%s, at entry %s): %s: download it again",
                         archive->name, elm_utf8_escape(shown, sizeof shown, archive->entry),
                         cause);
}

int elm_archive_damaged(elm_archive *archive, const char *cause, elm_error *err)
{
    snprintf(archive->cause, sizeof archive->cause, "%s", cause);
    return elm_archive_refuse(archive, err);
}

locale_t elm_archive_enter_locale(const elm_archive *archive)
{
    return archive->locale != (locale_t)0 ? uselocale(archive->locale) : (locale_t)0;
}

void elm_archive_leave_locale(locale_t before)
{
    if (before != (locale_t)0)
        uselocale(before);
}

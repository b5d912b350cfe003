#include "prepare/archives/archive_entries.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#include "prepare/archives/archive_state.h"

void elm_archive_show_links(elm_archive *archive)
{
    archive->links = true;
}

/* Where the current entry's bytes stand in the file: behind what has been read, which is the
 * entry's header. */
static int64_t entry_offset(const elm_archive *archive)
{
    const bool is_tar =
        (archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    return is_tar && archive->plain ? archive->base + archive_filter_bytes(archive->reader, 0) : -1;
}

/* After the last entry: every check sum is compared, and nothing may follow. */
static int finish(elm_archive *archive, elm_error *err)
{
    archive->done = true;
    if (archive->container == ELM_CONTAINER_ZIP)
        return archive->entries == archive->index.count
                   ? 0
                   : elm_archive_damaged(archive, "its directory is damaged", err);
    if (archive->container == ELM_CONTAINER_PLAIN && elm_stream_rest(archive->stream) < 0)
        return elm_archive_refuse(archive, err);
    enum { TAR_BLOCK = 512 };
    const bool tar =
        (archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    /* cut between two files, nothing else would tell */
    if (tar && elm_stream_zeros(archive->stream) < TAR_BLOCK)
        return elm_archive_damaged(
            archive,
            "the mark of its end is missing (if it is whole, unpack it with tar and "
            "give the folder)",
            err);
    return 0;
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80 || *text == '\\')
            return false;
    return true;
}

/* libarchive writes a folder's name with a slash at its end. */
static bool same_but_slash(const char *a, const char *b)
{
    const size_t length_a = strlen(a), length_b = strlen(b),
                 shorter = length_a < length_b ? length_a : length_b;
    return strncmp(a, b, shorter) == 0 && strspn(a + shorter, "/") == length_a - shorter &&
           strspn(b + shorter, "/") == length_b - shorter;
}

/* A zip's names come out of its directory: the entries come in the order of their places, as the
 * directory's do here. */
static int take_name(elm_archive *archive, struct archive_entry *entry, elm_error *err)
{
    const char *path = archive_entry_pathname(entry);
    if (path == NULL)
        path = archive_entry_pathname_utf8(entry);
    archive->problem = NULL;
    if ((archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP &&
        archive->container != ELM_CONTAINER_ZIP)
        return elm_archive_damaged(archive, "its directory is damaged", err);
    if (archive->container == ELM_CONTAINER_ZIP) {
        const elm_zip_item *item = archive->entries < archive->index.count
                                       ? &archive->index.items[archive->entries]
                                       : NULL;
        if (item == NULL ||
            (path != NULL && is_ascii(item->name) && !same_but_slash(item->name, path)))
            return elm_archive_damaged(archive, "its directory is damaged", err);
        path = item->name;
        archive->problem = item->problem;
    }
    archive->entries++;
    if (path == NULL)
        return elm_archive_damaged(
            archive,
            archive->container == ELM_CONTAINER_OTHER && archive->locale == (locale_t)0
                ? "a name that this machine cannot represent: install a UTF-8 locale "
                  "(C.UTF-8), or unpack it and give the folder"
                : "an entry without a name that can be read",
            err);
    if (strlen(path) >= sizeof archive->entry)
        return elm_archive_damaged(archive, "a name of more than 4095 bytes", err);
    snprintf(archive->entry, sizeof archive->entry, "%s", path);
    return 0;
}

static int next_header(elm_archive *archive, struct archive_entry **entry, elm_error *err)
{
    const locale_t before = elm_archive_enter_locale(archive);
    const int result = archive_read_next_header(archive->reader, entry);
    elm_archive_leave_locale(before);
    if (result == ARCHIVE_EOF)
        return finish(archive, err);
    /* ARCHIVE_RETRY: a header whose check sum does not match; the next one would be looked for. */
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
        return elm_archive_refuse(archive, err);
    const char *warning = result == ARCHIVE_WARN ? archive_error_string(archive->reader) : NULL;
    if (warning != NULL &&
        (strstr(warning, "malformed") != NULL || strstr(warning, "Malformed") != NULL))
        return elm_archive_refuse(archive, err);
    return take_name(archive, *entry, err) == 0 ? 1 : -1;
}

/* An image's bytes are none's target: a bit of its kind has been flipped. */
static bool is_plausible_target(const elm_archive *archive, const char *target)
{
    if (target[0] == '\0' || strncmp(target, "\xff\xd8", 2) == 0 ||
        strncmp(target, "\x89PNG", 4) == 0)
        return false;
    for (const unsigned char *at = (const unsigned char *)target; *at != '\0'; at++)
        if (*at < ' ' || *at == 0x7f)
            return false;
    return archive->container != ELM_CONTAINER_ZIP || !is_ascii(target) ||
           (int64_t)strlen(target) == archive->index.items[archive->entries - 1].size_bytes;
}

static int take_link(elm_archive *archive, const char *target, bool hard, elm_archive_entry *out,
                     elm_error *err)
{
    if (target == NULL || !is_plausible_target(archive, target))
        return elm_archive_damaged(archive, "a link that leads nowhere", err);
    snprintf(archive->target, sizeof archive->target, "%s", target);
    *out = (elm_archive_entry){
        .path = archive->entry, .offset = -1, .link = archive->target, .hard = hard};
    return 1;
}

/* 1: a file or link for the caller; 0: nothing of interest. */
static int take_entry(elm_archive *archive, struct archive_entry *entry, elm_archive_entry *out,
                      elm_error *err)
{
    const locale_t before = elm_archive_enter_locale(archive);
    const char *hard = archive_entry_hardlink(entry), *symbolic = archive_entry_symlink(entry);
    elm_archive_leave_locale(before);
    const mode_t kind = archive_entry_filetype(entry);
    const int64_t size = archive_entry_size(entry);
    const bool cpio =
        (archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_CPIO;
    if (cpio && hard != NULL && size > 0) { /* its first name came without bytes */
        snprintf(archive->earlier, sizeof archive->earlier, "%s", hard);
        hard = NULL;
    }
    if (hard != NULL && !(kind == AE_IFREG && size > 0))
        return archive->links ? take_link(archive, hard, true, out, err) : 0;
    if (kind == AE_IFLNK)
        return archive->links ? take_link(archive, symbolic, false, out, err) : 0;
    if (kind != AE_IFREG && size > 0 && archive->container != ELM_CONTAINER_PLAIN)
        return elm_archive_damaged(archive, "an entry of no known kind", err);
    if (kind != AE_IFREG) {
        *out = (elm_archive_entry){.path = archive->entry, .offset = -1, .special = true};
        return archive->links && kind != AE_IFDIR && kind != 0;
    }
    if (cpio && size == 0 && archive_entry_nlink(entry) > 1)
        return 0;
    if (!archive_entry_size_is_set(entry))
        return elm_archive_damaged(archive,
                                   "an entry of unknown size: unpack it and give the folder", err);
    const char *slash = strrchr(archive->entry, '/');
    archive->left = size;
    *out = (elm_archive_entry){.path = archive->entry,
                               .base = slash != NULL ? slash + 1 : archive->entry,
                               .size_bytes = size,
                               .offset = entry_offset(archive)};
    return 1;
}

int elm_archive_next(elm_archive *archive, elm_archive_entry *out, elm_error *err)
{
    struct archive_entry *entry = NULL;
    if (archive->earlier[0] != '\0') { /* the other name of the file before */
        memcpy(archive->target, archive->entry, sizeof archive->target);
        memcpy(archive->entry, archive->earlier, sizeof archive->entry);
        archive->earlier[0] = '\0';
        *out = (elm_archive_entry){
            .path = archive->entry, .offset = -1, .link = archive->target, .hard = true};
        if (archive->links)
            return 1;
    }
    if (archive->done)
        return 0;
    for (;;) {
        int status = next_header(archive, &entry, err);
        if (status == 1)
            status = take_entry(archive, entry, out, err);
        else if (status == 0)
            return 0;
        if (status != 0)
            return status;
    }
}

/* Its check sum is compared when all of it has been read. */
static int finish_entry(elm_archive *archive, elm_error *err)
{
    char more;
    const la_ssize_t count = archive_read_data(archive->reader, &more, 1);
    if (count < 0)
        return elm_archive_refuse(archive, err);
    return count == 0 ? 0 : elm_archive_damaged(archive, "it holds more bytes than it says", err);
}

int elm_archive_read(elm_archive *archive, void *bytes, size_t size_bytes, elm_error *err)
{
    size_t done = 0;
    if (archive->problem != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read an entry (%s, %s): %s",
                             archive->name, archive->entry, archive->problem);
    while (done < size_bytes) {
        const la_ssize_t count =
            archive_read_data(archive->reader, (char *)bytes + done, size_bytes - done);
        if (count < 0)
            return elm_archive_refuse(archive, err);
        if (count == 0)
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "truncated archive (%s, entry %s ends after %zu of %zu bytes): download it again",
                archive->name, archive->entry, done, size_bytes);
        done += (size_t)count;
    }
    archive->left -= (int64_t)done;
    return archive->left == 0 ? finish_entry(archive, err) : 0;
}

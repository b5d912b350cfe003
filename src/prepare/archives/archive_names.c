#include "prepare/archives/archive_names.h"

#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

locale_t elm_archive_locale(void)
{
    static const char *const names[] = {"C.UTF-8",    "C.utf8",      "en_US.UTF-8",
                                        "en_US.utf8", "POSIX.UTF-8", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const locale_t made = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
        if (made != (locale_t)0 && strcmp(nl_langinfo_l(CODESET, made), "UTF-8") == 0)
            return made;
        if (made != (locale_t)0)
            freelocale(made);
    }
    return (locale_t)0;
}

static const struct {
    size_t place;
    const char *magic;
    const char *what;
} foreign[] = {
    {32769, "CD001",
     "an ISO 9660 image is not read: unpack it (bsdtar -xf, 7z x) or mount it, and give the "
     "folder"},
    {0, "!<arch>\n", "an ar archive is not read: unpack it (ar x) and give the folder"},
    {0, "xar!", "a xar archive is not read: unpack it (bsdtar -xf) and give the folder"},
    {0, "MSCF", "a cabinet is not read: unpack it (cabextract, 7z x) and give the folder"},
    {2, "-lh", "an lha archive is not read: unpack it (lha x, 7z x) and give the folder"},
    {0, "#mtree", "an mtree listing holds no files: give the archive or the folder"},
    {0, "WARC/", "a web archive is not read: unpack it and give the folder"},
    {0, "hsqs",
     "a squashfs image is not read: unpack it (unsquashfs) or mount it, and give the folder"},
    {0, "\x89LZO", "lzop is not read: decompress it (lzop -d)"},
    {0, "LRZI", "lrzip is not read: decompress it (lrunzip)"},
    {0, "\x89HDF\r\n\x1a\n", "an HDF5 file is not read: give the original images"},
    {0, "\xed\xab\xee\xdb", "a package (rpm) is not read: unpack it and give the folder"},
    {0, "\xff\xd8\xff", "an image instead of an archive: give the folder that it lies in"},
    {0, "\x89PNG", "an image instead of an archive: give the folder that it lies in"},
    {0, "<!DOCTYPE",
     "a web page instead of an archive: the download has failed; look at the page, then download "
     "again"},
    {0, "<html",
     "a web page instead of an archive: the download has failed; look at the page, then download "
     "again"},
};

const char *elm_archive_foreign(const uint8_t *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        const size_t length = strlen(foreign[i].magic);
        if (size_bytes >= foreign[i].place + length &&
            memcmp(bytes + foreign[i].place, foreign[i].magic, length) == 0)
            return foreign[i].what;
    }
    return NULL;
}

elm_container elm_archive_container(const uint8_t *bytes, size_t size_bytes)
{
    enum { MAGIC_PLACE = 257 };
    static const char *const zips[] = {"PK\x03\x04", "PK\x05\x06", "PK\x07\x08PK"};
    for (size_t i = 0; i < sizeof zips / sizeof *zips; i++)
        if (size_bytes >= strlen(zips[i]) && memcmp(bytes, zips[i], strlen(zips[i])) == 0)
            return ELM_CONTAINER_ZIP;
    const bool tar = size_bytes >= MAGIC_PLACE + 5 && memcmp(bytes + MAGIC_PLACE, "ustar", 5) == 0;
    const bool cpio =
        size_bytes >= 6 && (memcmp(bytes, "07070", 5) == 0 || memcmp(bytes, "\xc7\x71", 2) == 0);
    return tar || cpio || size_bytes < 6 ? ELM_CONTAINER_PLAIN : ELM_CONTAINER_OTHER;
}

bool elm_archive_may_be_zip(const uint8_t *bytes, size_t size_bytes)
{
    return !(size_bytes >= 6 && (memcmp(bytes, "7z\xbc\xaf\x27\x1c", 6) == 0 ||
                                 memcmp(bytes, "Rar!\x1a\x07", 6) == 0));
}

bool elm_archive_is_name(const char *path, size_t *stem)
{
    /* Longer ones first. */
    static const char *const endings[] = {
        ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4", ".tar.lzma", ".tar.lz",
        ".tar.z",  ".tgz",     ".tbz2",   ".tbz",     ".txz",     ".tzst",     ".tar",
        ".zip",    ".7z",      ".rar",    ".cpio",    ".cpio.gz"};
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    const size_t length = strlen(base);
    if (strncmp(base, "._", 2) == 0) /* macOS's attributes of a file of that name */
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t ending = strlen(endings[i]);
        if (length > ending && strcasecmp(base + length - ending, endings[i]) == 0) {
            *stem = strlen(path) - ending;
            return true;
        }
    }
    return false;
}

/* Appends the parts of a path to another, going up where it says "..". */
static bool append_parts(char *out, size_t size_bytes, const char *path)
{
    size_t used = strlen(out);
    for (const char *part = path, *end; *part != '\0'; part = *end == '/' ? end + 1 : end) {
        end = part + strcspn(part, "/");
        const size_t length = (size_t)(end - part);
        if (length == 0 || (length == 1 && part[0] == '.'))
            continue;
        if (length == 2 && part[0] == '.' && part[1] == '.') {
            if (used == 0)
                return false;
            const char *slash = strrchr(out, '/');
            used = slash != NULL ? (size_t)(slash - out) : 0;
            out[used] = '\0';
            continue;
        }
        if (used + length + 2 > size_bytes)
            return false;
        used += (size_t)snprintf(out + used, size_bytes - used, "%s%.*s", used > 0 ? "/" : "",
                                 (int)length, part);
    }
    return true;
}

bool elm_archive_link_target(const char *path, const char *target, bool hard, char *out,
                             size_t size_bytes)
{
    out[0] = '\0';
    if (!hard && target[0] != '/') {
        if (!append_parts(out, size_bytes, path))
            return false;
        char *slash = strrchr(out, '/');
        out[slash != NULL ? slash - out : 0] = '\0';
    }
    return append_parts(out, size_bytes, target);
}

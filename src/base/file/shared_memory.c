#include "base/file/shared_memory.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { NAMES_MAX = 64, NAME_SIZE = 256, PATH_SIZE = 4096 };

/* Segments of one folder, without those that turn out to be in use. */
typedef struct segments {
    const char *folder;
    char name[NAMES_MAX][NAME_SIZE];
    dev_t device[NAMES_MAX];
    ino_t inode[NAMES_MAX];
    size_t bytes[NAMES_MAX];
    bool mapped[NAMES_MAX];
    int count;
} segments;

/* Open MPI 4 and 5, PMIx, UCX and PSM2, MPICH and its kin. */
static bool is_of_mpi(const char *name)
{
    static const char *const beginnings[] = {
        "vader_segment.", "sm_segment.", "osc_rdma.", "pmix-",       "gds_",       "prte-",
        "psm2_shm.",      "psm3_shm.",   "ucx_shm_",  "mpich_shar_", "mpich_shm_", "Intel_MPI_"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (!strncmp(name, beginnings[i], strlen(beginnings[i])))
            return true;
    return false;
}

/* A name that needs no quotes in a shell: others are not those libraries'. */
static bool is_plain(const char *name)
{
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("._-+", *name))
            return false;
    return true;
}

static void list(segments *found)
{
    DIR *folder = opendir(found->folder);
    for (const struct dirent *entry;
         folder && found->count < NAMES_MAX && (entry = readdir(folder));) {
        struct stat about;
        if (!is_of_mpi(entry->d_name) || !is_plain(entry->d_name) ||
            fstatat(dirfd(folder), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) ||
            !S_ISREG(about.st_mode) || about.st_uid != geteuid())
            continue;
        snprintf(found->name[found->count], NAME_SIZE, "%s", entry->d_name);
        found->device[found->count] = about.st_dev;
        found->inode[found->count] = about.st_ino;
        found->bytes[found->count++] = (size_t)about.st_blocks * 512;
    }
    if (folder)
        closedir(folder);
}

/* Notes which of them a process has mapped. */
static void look_at_process(segments *found, const char *pid)
{
    char path[64 + NAME_SIZE], line[PATH_SIZE + 128];
    snprintf(path, sizeof path, "/proc/%.200s/maps", pid);
    FILE *maps = fopen(path, "re");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned major, minor;
        unsigned long long inode;
        /* By number: another root or mount may call it by another name. */
        if (sscanf(line, "%*s %*s %*s %x:%x %llu", &major, &minor, &inode) != 3 || inode == 0)
            continue;
        for (int i = 0; i < found->count; i++)
            found->mapped[i] |=
                found->inode[i] == inode && found->device[i] == makedev(major, minor);
    }
    if (maps)
        fclose(maps);
}

/* A rank is a plain process of its user, whose mappings that user can read; those that cannot be
 * read are no ranks. */
static void look_at_all(segments *found)
{
    DIR *processes = opendir("/proc");
    for (const struct dirent *entry; processes && (entry = readdir(processes));)
        if (isdigit((unsigned char)*entry->d_name))
            look_at_process(found, entry->d_name);
    if (processes)
        closedir(processes);
}

int elm_shared_memory_find_left(const char *folder, char *command, size_t size, size_t *bytes)
{
    segments found = {.folder = folder};
    int left = 0;
    *bytes = 0;
    snprintf(command, size, "rm -f");
    list(&found);
    if (found.count == 0)
        return 0;
    look_at_all(&found);
    for (int i = 0; i < found.count; i++) {
        if (found.mapped[i])
            continue;
        const size_t used = strlen(command);
        if (used + strlen(folder) + strlen(found.name[i]) + 3 < size)
            snprintf(command + used, size - used, " %s/%s", folder, found.name[i]);
        *bytes += found.bytes[i];
        left++;
    }
    return left;
}

void elm_shared_memory_tell_own(FILE *to)
{
    segments found = {.folder = "/dev/shm"};
    int mapped = 0;
    list(&found);
    look_at_process(&found, "self");
    for (int i = 0; i < found.count; i++)
        if (found.mapped[i])
            fprintf(to, "%s %s/%s",
                    mapped++ ? ""
                             : "  shared memory that stays if the launcher is gone, to be removed "
                               "with: rm -f",
                    found.folder, found.name[i]);
    if (mapped)
        fputc('\n', to);
}

/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over files instead of a fuzzer's ideas.
 *
 *     NAME_replay folder-or-file... */
#include "fuzz.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int complain(const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    return -1;
}

/* The whole file, in exactly as much memory, so that a read beyond its end shows.
 * NULL after a complaint. */
static uint8_t *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    struct stat info;
    size_t len;

    if (!file || fstat(fileno(file), &info))
        goto done;
    len = (size_t)info.st_size;
    data = malloc(len ? len : 1);
    if (data && fread(data, 1, len, file) != len) {
        free(data);
        data = NULL;
    }
    *ret_len = len;
done:
    if (!data)
        complain(path);
    if (file)
        fclose(file);
    return data;
}

/* Return the number of files run, -1 after a complaint. */
static int replay_file(const char *path)
{
    size_t len = 0;
    uint8_t *data = read_file(path, &len);

    if (!data)
        return -1;
    LLVMFuzzerTestOneInput(data, len);
    free(data);
    return 1;
}

static int replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    int count = 0, ran = 0;

    if (!folder)
        return complain(path);
    while (ran >= 0 && (entry = readdir(folder))) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        ran = replay_file(name);
        count += ran;
    }
    closedir(folder);
    return ran < 0 ? -1 : count;
}

static int replay(const char *path)
{
    struct stat info;

    if (stat(path, &info))
        return complain(path);
    return S_ISDIR(info.st_mode) ? replay_folder(path) : replay_file(path);
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++) {
        int ran = replay(argv[i]);

        if (ran < 0)
            return 1;
        count += ran;
    }
    if (count == 0) {
        fprintf(stderr, "replay: no file to run\n");
        return 1;
    }
    printf("%d files\n", count);
    return 0;
}

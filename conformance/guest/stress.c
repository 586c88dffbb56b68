/*
 * Random operations on names in one directory, compared with a model in memory.
 *
 * usage: stress [-s SEED] [-n OPERATIONS] [-d] DIRECTORY [SAME-DIRECTORY]
 *
 * -d: makes the kernel forget names and attributes whenever the directory is used through its other name.
 *
 * Creates, removes, renames (onto others too), links, appends, lists and looks
 * up in a few nested directories, each operation through either name of the
 * directory. Every result and errno is known beforehand; the first that differs
 * ends the run with status 1. DIRECTORY is made and its content removed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS 4
#define NAMES 24

/* A file's content is its number of bytes of one value. */
struct entry {
	int exists;
	long size;
	unsigned char value;
};

static uint64_t state = 1;
static const char *roots[2];
static int at, drop;
static long number;
static struct entry model[FOLDERS][NAMES];

static uint64_t next(void) /* splitmix64 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static void change_side(int to)
{
	if (to == at)
		return;
	at = to;
	if (!drop)
		return;
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd < 0 || write(fd, "2", 1) != 1 || close(fd) != 0) {
		perror("/proc/sys/vm/drop_caches");
		exit(2);
	}
}

static int below(int bound) { return (int)(next() % (uint64_t)bound); }

static void check(int good, const char *what, int folder, int name, const char *seen)
{
	if (good)
		return;
	printf("operation %ld through %s: %s of folder %d name %d: %s (%s)\n", number, roots[at], what, folder, name, seen,
	       strerror(errno));
	exit(1);
}

/* Names that need more than ASCII, that are long, that differ little. */
static const char *path(char *to, int folder, int name)
{
	static const char *const shapes[] = { "plain%d", "mit Leerzeichen %d", "größe-名前-%d", ".hidden%d", "a.b.c%d.tar.gz",
					      "a-rather-long-name-that-does-not-fit-in-eight-and-three-characters-%d" };
	char leaf[160];
	snprintf(leaf, sizeof leaf, shapes[name % 6], name);
	snprintf(to, 4096, "%s/folder%d/%s", roots[at], folder, leaf);
	return to;
}

static void expect(int result, int wanted, const char *what, int folder, int name)
{
	if (wanted == 0)
		check(result == 0, what, folder, name, "refused");
	else
		check(result < 0 && errno == wanted, what, folder, name, result == 0 ? "allowed" : "refused otherwise");
}

static void look_up(int folder, int name)
{
	char p[4096];
	struct stat st;
	struct entry *entry = &model[folder][name];
	expect(stat(path(p, folder, name), &st), entry->exists ? 0 : ENOENT, "stat", folder, name);
	if (entry->exists)
		check(st.st_size == entry->size, "size", folder, name, "wrong");
}

static void read_whole(int folder, int name)
{
	char p[4096];
	static unsigned char content[70000];
	struct entry *entry = &model[folder][name];
	int fd = open(path(p, folder, name), O_RDONLY);
	expect(fd < 0 ? -1 : 0, entry->exists ? 0 : ENOENT, "open", folder, name);
	if (fd < 0)
		return;
	long got = read(fd, content, sizeof content);
	check(got == entry->size, "content", folder, name, "wrong length");
	for (long i = 0; i < got; i++)
		if (content[i] != entry->value) {
			char seen[100];
			snprintf(seen, sizeof seen, "of %ld bytes, %02x instead of %02x at %ld", got, content[i], entry->value, i);
			check(0, "content", folder, name, seen);
		}
	check(close(fd) == 0, "close", folder, name, "refused");
}

static void create(int folder, int name)
{
	char p[4096];
	static unsigned char content[60000];
	struct entry *entry = &model[folder][name];
	int exclusive = below(2);
	int fd = open(path(p, folder, name), O_WRONLY | O_CREAT | O_TRUNC | (exclusive ? O_EXCL : 0), 0644);
	expect(fd < 0 ? -1 : 0, exclusive && entry->exists ? EEXIST : 0, "create", folder, name);
	if (fd < 0)
		return;
	entry->exists = 1;
	entry->value = (unsigned char)next();
	entry->size = below(8) ? below(9000) : below((int)sizeof content);
	memset(content, entry->value, (size_t)entry->size);
	check(write(fd, content, (size_t)entry->size) == entry->size, "write", folder, name, "refused");
	check(close(fd) == 0, "close", folder, name, "refused");
}

static void append(int folder, int name)
{
	char p[4096];
	unsigned char content[500];
	struct entry *entry = &model[folder][name];
	if (entry->size > 60000)
		return;
	int fd = open(path(p, folder, name), O_WRONLY | O_APPEND);
	expect(fd < 0 ? -1 : 0, entry->exists ? 0 : ENOENT, "append", folder, name);
	if (fd < 0)
		return;
	memset(content, entry->value, sizeof content);
	check(write(fd, content, sizeof content) == (long)sizeof content, "append", folder, name, "refused");
	check(close(fd) == 0, "close", folder, name, "refused");
	entry->size += (long)sizeof content;
}

static void take_away(int folder, int name)
{
	char p[4096];
	struct entry *entry = &model[folder][name];
	int open_meanwhile = entry->exists && below(4) == 0, fd = -1;
	if (open_meanwhile) /* reading goes on after the name has gone */
		fd = open(path(p, folder, name), O_RDONLY);
	expect(unlink(path(p, folder, name)), entry->exists ? 0 : ENOENT, "unlink", folder, name);
	if (fd >= 0) {
		unsigned char byte = 0;
		long got = pread(fd, &byte, 1, 0);
		check(got == (entry->size > 0) && (got == 0 || byte == entry->value), "read after unlink", folder, name, "wrong");
		check(close(fd) == 0, "close", folder, name, "refused");
	}
	memset(entry, 0, sizeof *entry);
}

static void move(int folder, int name)
{
	char p[4096], q[4096];
	int to_folder = below(FOLDERS), to_name = below(NAMES);
	struct entry *from = &model[folder][name], *to = &model[to_folder][to_name];
	expect(rename(path(p, folder, name), path(q, to_folder, to_name)), from->exists ? 0 : ENOENT, "rename", folder, name);
	if (!from->exists || from == to)
		return;
	*to = *from;
	memset(from, 0, sizeof *from);
}

static void set_length(int folder, int name)
{
	char p[4096];
	struct entry *entry = &model[folder][name];
	long to = entry->size > 0 ? below((int)entry->size) : 0;
	expect(truncate(path(p, folder, name), to), entry->exists ? 0 : ENOENT, "truncate", folder, name);
	if (entry->exists)
		entry->size = to;
}

static void list(int folder)
{
	char p[4096], q[4096];
	int seen = 0, wanted = 0;
	struct dirent *found;
	snprintf(p, sizeof p, "%s/folder%d", roots[at], folder);
	DIR *stream = opendir(p);
	check(stream != NULL, "opendir", folder, -1, "refused");
	while ((found = readdir(stream)) != NULL) {
		int known = -1;
		if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
			continue;
		for (int name = 0; name < NAMES && known < 0; name++)
			if (strcmp(strrchr(path(q, folder, name), '/') + 1, found->d_name) == 0)
				known = name;
		check(known >= 0 && model[folder][known].exists, "listing", folder, known, found->d_name);
		seen++;
	}
	closedir(stream);
	for (int name = 0; name < NAMES; name++)
		wanted += model[folder][name].exists;
	check(seen == wanted, "listing", folder, -1, "names are missing or twice");
}

static void folder_itself(int folder)
{
	char p[4096], q[4096];
	int filled = 0;
	for (int name = 0; name < NAMES; name++)
		filled |= model[folder][name].exists;
	snprintf(p, sizeof p, "%s/folder%d", roots[at], folder);
	snprintf(q, sizeof q, "%s/away%d", roots[at], folder);
	if (below(2)) {
		expect(rmdir(p), filled ? ENOTEMPTY : 0, "rmdir", folder, -1);
		if (!filled)
			expect(mkdir(p, 0755), 0, "mkdir", folder, -1);
	} else {
		expect(mkdir(p, 0755), EEXIST, "mkdir", folder, -1);
		expect(rename(p, q), 0, "rename there", folder, -1);
		expect(rename(q, p), 0, "rename back", folder, -1);
	}
}

int main(int argc, char **argv)
{
	long count = 10000;
	int option;
	char p[4096];
	while ((option = getopt(argc, argv, "s:n:d")) != -1)
		switch (option) {
		case 's': state = strtoull(optarg, NULL, 10); break;
		case 'n': count = atol(optarg); break;
		case 'd': drop = 1; break;
		default: return 2;
		}
	if (optind >= argc) {
		fprintf(stderr, "usage: stress [-s SEED] [-n OPERATIONS] [-d] DIRECTORY [SAME-DIRECTORY]\n");
		return 2;
	}
	roots[0] = argv[optind];
	roots[1] = argv[argc - 1];
	expect(mkdir(roots[0], 0755), 0, "mkdir", -1, -1);
	for (int folder = 0; folder < FOLDERS; folder++) {
		snprintf(p, sizeof p, "%s/folder%d", roots[0], folder);
		expect(mkdir(p, 0755), 0, "mkdir", folder, -1);
	}
	for (number = 0; number < count; number++) {
		int folder = below(FOLDERS), name = below(NAMES), kind = below(20);
		change_side(below(2));
		switch (kind) {
		case 0: case 1: case 2: case 3: create(folder, name); break;
		case 4: case 5: append(folder, name); break;
		case 6: case 7: case 8: take_away(folder, name); break;
		case 9: case 10: case 11: move(folder, name); break;
		case 12: set_length(folder, name); break;
		case 13: list(folder); break;
		case 14: folder_itself(folder); break;
		case 15: case 16: read_whole(folder, name); break;
		default: look_up(folder, name);
		}
	}
	for (int folder = 0; folder < FOLDERS; folder++) {
		list(folder);
		for (int name = 0; name < NAMES; name++) {
			read_whole(folder, name);
			if (model[folder][name].exists)
				expect(unlink(path(p, folder, name)), 0, "unlink", folder, name);
		}
		snprintf(p, sizeof p, "%s/folder%d", roots[at], folder);
		expect(rmdir(p), 0, "rmdir", folder, -1);
	}
	printf("%ld operations\n", count);
	return 0;
}

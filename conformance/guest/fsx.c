/*
 * Random operations on one file, compared with a model of it in memory.
 *
 * usage: fsx [-s SEED] [-n OPERATIONS] [-l LENGTH] [-x] [-y] [-p] FILE [SAME-FILE]
 *
 * -x: also what is put together from several requests: collapse and insert range, copies.
 * -y: what is written is sent before anything else is done.
 * -p: pages are dropped before a mapping is made and after it has gone.
 *
 * Every operation's result is known beforehand, so the first wrong byte, size or
 * error ends the run: the last operations are printed and the status is 1.
 * SAME-FILE is the file through another mount. Then an operation is a whole
 * turn of open, use and close through either name, which is when the mounts
 * have to agree; without it the file stays open, and mappings outlive calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN 40
#define PAGE 4096L

static uint64_t state;
static unsigned char *model, *buffer;
static long length, size; /* largest and present size of the file */
static const char *names[2];
static int name_count, at, fd = -1;
static long number;
static char history[SHOWN][160];
static int supported[16], flush, drop, extra;

static uint64_t next(void) /* splitmix64 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static long below(long bound) { return bound <= 0 ? 0 : (long)(next() % (uint64_t)bound); }

static void note(const char *format, ...)
{
	va_list list;
	char *line = history[number % SHOWN];
	int used = snprintf(line, 160, "%6ld [%d] ", number, at);
	va_start(list, format);
	vsnprintf(line + used, 160 - used, format, list);
	va_end(list);
}

static void fail(const char *format, ...)
{
	va_list list;
	long first = number < SHOWN ? 0 : number - SHOWN + 1;
	for (long i = first; i <= number; i++)
		printf("%s\n", history[i % SHOWN]);
	printf("operation %ld: ", number);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
	exit(1);
}

static void open_file(int flags)
{
	fd = open(names[at], O_RDWR | flags, 0666);
	if (fd < 0)
		fail("open: %s", strerror(errno));
}

static void close_file(void)
{
	if (close(fd) != 0)
		fail("close: %s", strerror(errno));
	fd = -1;
}

static void compare(const unsigned char *got, long from, long count, const char *what)
{
	long wrong = 0, first = -1;
	for (long i = 0; i < count; i++)
		if (got[i] != model[from + i]) {
			if (first < 0)
				first = i;
			wrong++;
		}
	if (first >= 0)
		fail("%s of %ld bytes at %ld: %ld bytes differ, the first at %ld: %02x instead of %02x", what, count, from, wrong,
		     from + first, got[first], model[from + first]);
}

static void check_size(void)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		fail("fstat: %s", strerror(errno));
	if (st.st_size != size)
		fail("size %ld instead of %ld", (long)st.st_size, size);
}

/* The model beyond the size is always zero. */
static void grow(long to)
{
	if (to > size)
		size = to;
}

static void fill(unsigned char *to, long count)
{
	unsigned char start = (unsigned char)next();
	for (long i = 0; i < count; i++)
		to[i] = (unsigned char)(start + i * 7 + number);
}

static void do_write(void)
{
	long from = below(length), count = 1 + below(length - from < 65536 ? length - from : 65536);
	note("write %ld at %ld, size %ld", count, from, size);
	fill(buffer, count);
	ssize_t done = pwrite(fd, buffer, count, from);
	if (done != count)
		fail("write: %zd: %s", done, strerror(errno));
	if (flush && fdatasync(fd) != 0)
		fail("fdatasync: %s", strerror(errno));
	memcpy(model + from, buffer, count);
	grow(from + count);
}

static void do_read(void)
{
	long from = below(size + 1000), count = 1 + below(65536);
	long wanted = from >= size ? 0 : (size - from < count ? size - from : count);
	note("read %ld at %ld, size %ld", count, from, size);
	ssize_t done = pread(fd, buffer, count, from);
	if (done != wanted)
		fail("read: %zd instead of %ld: %s", done, wanted, done < 0 ? strerror(errno) : "");
	compare(buffer, from, wanted, "read");
}

static void do_truncate(void)
{
	long to = below(length);
	note("truncate to %ld, size %ld", to, size);
	if (ftruncate(fd, to) != 0)
		fail("truncate: %s", strerror(errno));
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

/* What the file system cannot do, or not now, is passed over; the last line of the run tells what it never could. */
static int range_call(int which, int mode, long from, long count)
{
	if (fallocate(fd, mode, from, count) == 0) {
		supported[which] = 1;
		return 1;
	}
	if (errno == EOPNOTSUPP) {
		note("not supported: mode %d", mode);
		return 0;
	}
	fail("fallocate mode %d: %s", mode, strerror(errno));
	return 0;
}

static void do_punch(void)
{
	if (size == 0)
		return do_write();
	long from = below(size), count = 1 + below(size - from < 60000 ? size - from : 60000);
	note("punch hole %ld at %ld, size %ld", count, from, size);
	if (!range_call(0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, count))
		return;
	memset(model + from, 0, count);
}

static void do_zero(void)
{
	long from = below(length), count = 1 + below(length - from < 60000 ? length - from : 60000);
	int keep = below(2) || from + count > size;
	note("zero range %ld at %ld%s, size %ld", count, from, keep ? " keep size" : "", size);
	if (!range_call(1, FALLOC_FL_ZERO_RANGE | (keep ? FALLOC_FL_KEEP_SIZE : 0), from, count))
		return;
	if (from < size)
		memset(model + from, 0, from + count > size ? size - from : count);
}

static void do_allocate(void)
{
	long from = size, count = 1 + below(length - size < 30000 ? length - size : 30000);
	if (size + 2 >= length)
		return do_truncate();
	note("allocate %ld at %ld, size %ld", count, from, size);
	if (!range_call(2, 0, from, count))
		return;
	grow(from + count);
}

static void do_collapse(void)
{
	if (size < 3 * PAGE)
		return do_write();
	long pages = size / PAGE, from = below(pages - 1) * PAGE, count = (1 + below(pages - 1 - from / PAGE)) * PAGE;
	if (from + count >= size)
		count = PAGE;
	if (from + count >= size)
		return do_read();
	note("collapse %ld at %ld, size %ld", count, from, size);
	if (!range_call(3, FALLOC_FL_COLLAPSE_RANGE, from, count))
		return;
	memmove(model + from, model + from + count, size - from - count);
	memset(model + size - count, 0, count);
	size -= count;
}

static void do_insert(void)
{
	long room = (length - size) / PAGE;
	if (size < 2 * PAGE || room < 1)
		return do_truncate();
	long from = below(size / PAGE) * PAGE, count = (1 + below(room < 8 ? room : 8)) * PAGE;
	note("insert %ld at %ld, size %ld", count, from, size);
	if (!range_call(4, FALLOC_FL_INSERT_RANGE, from, count))
		return;
	memmove(model + from + count, model + from, size - from);
	memset(model + from, 0, count);
	size += count;
}

static void drop_pages(void)
{
	if (drop && (fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0))
		fail("fsync and drop: %s", strerror(errno));
}

static unsigned char *map(long *from, long *count, long *skip)
{
	*from = below(size);
	*count = 1 + below(size - *from < 40000 ? size - *from : 40000);
	*skip = *from % PAGE;
	drop_pages();
	unsigned char *at_page = mmap(NULL, *skip + *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, *from - *skip);
	if (at_page == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	return at_page;
}

static void do_map_read(void)
{
	long from, count, skip;
	if (size == 0)
		return do_write();
	unsigned char *page = map(&from, &count, &skip);
	note("map read %ld at %ld, size %ld", count, from, size);
	compare(page + skip, from, count, "mapping");
	/* the rest of the last page beyond the file is zero */
	long end = from + count, over = end == size ? (PAGE - end % PAGE) % PAGE : 0;
	for (long i = 0; i < over; i++)
		if (page[skip + count + i] != 0)
			fail("mapping beyond the end of the file at %ld: %02x instead of 00", end + i, page[skip + count + i]);
	munmap(page, skip + count);
	drop_pages();
}

static void do_map_write(void)
{
	long from, count, skip;
	if (size == 0)
		return do_write();
	unsigned char *page = map(&from, &count, &skip);
	note("map write %ld at %ld, size %ld", count, from, size);
	fill(model + from, count);
	memcpy(page + skip, model + from, count);
	if (msync(page, skip + count, MS_SYNC) != 0)
		fail("msync: %s", strerror(errno));
	munmap(page, skip + count);
	drop_pages();
}

static void do_reopen(void)
{
	note("close and open, size %ld", size);
	close_file();
	open_file(0);
	check_size();
}

static void do_sync(void)
{
	note("sync and drop, size %ld", size);
	if (fsync(fd) != 0)
		fail("fsync: %s", strerror(errno));
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static void do_copy(void) /* within the file: the server's copy where the client asks for it */
{
	if (size < 2)
		return do_write();
	long from = below(size / 2), to = size / 2 + below(length - size / 2), count = 1 + below(50000);
	if (count > size / 2 - from)
		count = size / 2 - from;
	if (count > length - to)
		count = length - to;
	if (count <= 0)
		return do_read();
	note("copy %ld from %ld to %ld, size %ld", count, from, to, size);
	off_t in = from, out = to;
	long left = count;
	while (left > 0) {
		ssize_t done = copy_file_range(fd, &in, fd, &out, left, 0);
		if (done < 0 && errno == EOPNOTSUPP && left == count)
			return;
		if (done <= 0)
			fail("copy_file_range: %zd: %s", done, strerror(errno));
		supported[5] = 1;
		left -= done;
	}
	memmove(model + to, model + from, count);
	grow(to + count);
}

/* The last three only where asked for. */
#define EXTRA 3
static const struct {
	void (*run)(void);
	int weight;
} operations[] = {
	{ do_write, 24 },     { do_read, 24 },  { do_truncate, 8 }, { do_punch, 6 }, { do_zero, 4 },	{ do_allocate, 3 }, { do_map_read, 8 },
	{ do_map_write, 9 }, { do_reopen, 4 }, { do_sync, 3 },	   { do_copy, 3 },  { do_collapse, 2 }, { do_insert, 2 },
};

static void check_all(void)
{
	check_size();
	for (long from = 0; from < size; from += 65536) {
		long count = size - from < 65536 ? size - from : 65536;
		if (pread(fd, buffer, count, from) != count)
			fail("last read: %s", strerror(errno));
		compare(buffer, from, count, "last read");
	}
}

int main(int argc, char **argv)
{
	long count = 10000, total = 0;
	int option;
	state = 1;
	length = 262144;
	while ((option = getopt(argc, argv, "s:n:l:ypx")) != -1)
		switch (option) {
		case 's': state = strtoull(optarg, NULL, 10); break;
		case 'n': count = atol(optarg); break;
		case 'l': length = atol(optarg); break;
		case 'y': flush = 1; break;
		case 'p': drop = 1; break;
		case 'x': extra = 1; break;
		default: return 2;
		}
	if (optind >= argc || length < 65536) {
		fprintf(stderr, "usage: fsx [-s SEED] [-n OPERATIONS] [-l LENGTH] [-x] [-y] [-p] FILE [SAME-FILE]\n");
		return 2;
	}
	names[0] = argv[optind];
	name_count = optind + 1 < argc ? 2 : 1;
	names[1] = argv[argc - 1];
	model = calloc(1, length + 65536);
	buffer = malloc(65536 + PAGE);
	for (unsigned i = 0; i < sizeof operations / sizeof *operations - (extra ? 0 : EXTRA); i++)
		total += operations[i].weight;
	open_file(O_CREAT | O_TRUNC);
	for (number = 0; number < count; number++) {
		if (name_count == 2) {
			if (fd >= 0)
				close_file();
			at = (int)below(2);
			open_file(0);
			check_size();
		}
		long pick = below(total);
		unsigned i = 0;
		while (pick >= operations[i].weight)
			pick -= operations[i++].weight;
		operations[i].run();
		if (below(20) == 0)
			check_size();
	}
	check_all();
	printf("%ld operations, size %ld; never supported:%s%s%s", count, size, supported[0] ? "" : " punch",
	       supported[1] ? "" : " zero", supported[2] ? "" : " allocate");
	if (extra)
		printf("%s%s%s", supported[3] ? "" : " collapse", supported[4] ? "" : " insert", supported[5] ? "" : " copy");
	printf("\n");
	return 0;
}

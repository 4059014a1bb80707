/*
 * Preloaded into criu before 4.1 on kernels from 6.13 on. Those list [vvar_vclock] as an area of its own between [vvar]
 * and [vdso], which such a criu takes for a broken vDSO. In whatever it opens that is named maps or smaps it is shown the
 * two as one [vvar], as older kernels have them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static char *read_all(int fd)
{
	size_t room = 1 << 16, length = 0;
	char *text = malloc(room);
	for (ssize_t n; text && (n = read(fd, text + length, room - length - 1)) > 0;)
		if ((length += n) >= room - 1)
			text = realloc(text, room *= 2);
	if (text)
		text[length] = 0;
	return text;
}

/* The head of an area is `START-END PERMISSIONS … NAME`; lines of detail, which smaps has, follow it. */
static int is_head(const char *line, unsigned long *start, unsigned long *end)
{
	char permissions[8];
	return sscanf(line, "%lx-%lx %4s", start, end, permissions) == 3;
}

static int is_area(const char *line, size_t length, const char *name)
{
	return memmem(line, length, name, strlen(name)) != NULL;
}

static void write_joined(int out, char *text)
{
	unsigned long start, end, clock_start = 0, clock_end = 0;
	size_t length;
	for (char *line = text; *line; line += length) {
		length = strcspn(line, "\n") + (strchr(line, '\n') != NULL);
		if (is_area(line, length, "[vvar_vclock]"))
			is_head(line, &clock_start, &clock_end);
	}
	int skipping = 0;
	for (char *line = text; *line; line += length) {
		length = strcspn(line, "\n") + (strchr(line, '\n') != NULL);
		int head = is_head(line, &start, &end);
		if (head)
			skipping = is_area(line, length, "[vvar_vclock]");
		if (skipping)
			continue;
		if (head && clock_end && end == clock_start && is_area(line, length, "[vvar]")) {
			const char *rest = memchr(line, ' ', length);
			dprintf(out, "%lx-%lx%.*s", start, clock_end, (int)(length - (rest - line)), rest);
		} else if (write(out, line, length) < 0)
			return;
	}
}

static int shown(int fd, const char *path)
{
	const char *name = path ? strrchr(path, '/') : NULL;
	name = name ? name + 1 : path;
	if (fd < 0 || !name || (strcmp(name, "maps") && strcmp(name, "smaps")))
		return fd;
	char *text = read_all(fd);
	int copy = memfd_create("maps", 0);
	if (text && copy >= 0) {
		write_joined(copy, text);
		lseek(copy, 0, SEEK_SET);
		dup2(copy, fd);
	}
	if (copy >= 0)
		close(copy);
	free(text);
	return fd;
}

#define MODE                                          \
	mode_t mode = 0;                              \
	if (flags & (O_CREAT | O_TMPFILE)) {          \
		va_list rest;                         \
		va_start(rest, flags);                \
		mode = va_arg(rest, mode_t);          \
		va_end(rest);                         \
	}

int openat(int folder, const char *path, int flags, ...) { MODE return shown(syscall(SYS_openat, folder, path, flags, mode), path); }
int openat64(int folder, const char *path, int flags, ...) { MODE return shown(syscall(SYS_openat, folder, path, flags, mode), path); }
int open(const char *path, int flags, ...) { MODE return shown(syscall(SYS_openat, AT_FDCWD, path, flags, mode), path); }
int open64(const char *path, int flags, ...) { MODE return shown(syscall(SYS_openat, AT_FDCWD, path, flags, mode), path); }

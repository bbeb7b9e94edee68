// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process that dies inside op_append leaves the whole operation or the end of the block.
 *
 * A child appends to a block in shared memory and is single-stepped through it; after each
 * instruction the block is read as a successor of the child would read it. Beside that, a thread
 * reads what another one appends (for ThreadSanitizer, and for the order between processors).
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "tests/ondisk_samples.h"

#define SKIP 77

/* Reads all operations: the number of them, or -1 where one is malformed or not the sample. */
static int read_ops(const void *block)
{
	enum format_reason why;
	struct op op, want;
	uint32_t pos = 0;
	int n = 0, ret;

	while ((ret = op_next(block, &pos, &op, &why)) > 0) {
		sample_op(&want, (uint32_t)n++);
		if (op.type != want.type || op.arg0 != want.arg0 || op.arg1 != want.arg1 ||
		    op.stamp.ctime_ns != want.stamp.ctime_ns ||
		    memcmp(&op.identity, &want.identity, sizeof(want.identity)) != 0 ||
		    op.path_bytes != want.path_bytes || op.path2_bytes != want.path2_bytes ||
		    memcmp(op.path, want.path ? want.path : "", op.path_bytes) != 0 ||
		    memcmp(op.path2, want.path2 ? want.path2 : "", op.path2_bytes) != 0)
			return -1;
	}
	return ret < 0 ? -1 : n;
}

static int append_ops(void *block)
{
	uint32_t pos = 0;
	struct op op;

	for (uint32_t i = 0; i < SAMPLE_OPS; i++) {
		sample_op(&op, i);
		if (op_append(block, &pos, &op))
			return -1;
	}
	return 0;
}

static _Noreturn void stepped_child(void *block)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(SKIP);
	raise(SIGSTOP);
	_exit(append_ops(block) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Steps the stopped child to its end, or to the first block that does not read well. */
static int step_through(pid_t child, const void *block)
{
	long steps = 0;
	int n = 0, status;

	for (;;) {
		int now;

		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) ||
		    waitpid(child, &status, 0) != child) {
			perror("single step");
			return EXIT_FAILURE;
		}
		if (!WIFSTOPPED(status))
			break;
		steps++;
		now = read_ops(block);
		if (now != n && now != n + 1) {
			fprintf(stderr, "after step %ld: %d operations after %d\n", steps, now, n);
			return EXIT_FAILURE;
		}
		n = now;
	}
	printf("%d operations in %ld steps\n", n, steps);
	if (!WIFEXITED(status) || WEXITSTATUS(status) || n != (int)SAMPLE_OPS)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static int check_steps(void *block)
{
	int status, ret;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0) {
		perror("fork");
		return EXIT_FAILURE;
	}
	if (child == 0)
		stepped_child(block);
	if (waitpid(child, &status, 0) != child)
		return EXIT_FAILURE;
	if (WIFEXITED(status)) {
		printf("skipped: ptrace is not permitted here\n");
		return SKIP;
	}
	ret = step_through(child, block);
	if (ret) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	return ret;
}

static void *append_thread(void *block)
{
	return append_ops(block) ? block : NULL;
}

static int check_threads(void *block)
{
	void *failed = NULL;
	pthread_t thread;
	int n = 0, now;

	memset(block, 0, BLOCK_BYTES);
	if (pthread_create(&thread, NULL, append_thread, block))
		return EXIT_FAILURE;
	do {
		now = read_ops(block);
		if (now < n)
			break;
		n = now;
	} while (n < (int)SAMPLE_OPS);
	if (pthread_join(thread, &failed) || failed || n != (int)SAMPLE_OPS) {
		fprintf(stderr, "a reader saw %d operations after %d\n", now, n);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int main(void)
{
	void *block =
		mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ret;

	if (block == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILURE;
	}
	ret = check_steps(block);
	if (ret == EXIT_FAILURE)
		return ret;
	for (int i = 0; i < 200; i++) {
		if (check_threads(block))
			return EXIT_FAILURE;
	}
	return ret;
}

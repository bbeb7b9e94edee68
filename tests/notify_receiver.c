// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * notify_receiver SOCKET: what a service manager, or a syslog daemon, hears at a datagram socket: a
 * path, or a name of the abstract namespace with @ in front. Each datagram is printed, and a line
 * with "." after it. "ready" is the first line. Ends by a signal.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const void *to = &at;
	char text[4096];
	size_t len;
	ssize_t n;
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(at.sun_path))
		return 2;
	len = strlen(argv[1]);
	memcpy(at.sun_path, argv[1], len);
	if (argv[1][0] == '@')
		at.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	setvbuf(stdout, NULL, _IOFBF, sizeof(text) * 2);
	printf("ready\n");
	fflush(stdout);
	while ((n = recv(fd, text, sizeof(text), 0)) >= 0) {
		printf("%.*s\n.\n", (int)n, text);
		fflush(stdout);
	}
	return EXIT_FAILURE;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What the transports have in common: the shape of replies and notifications. */
#include "lcfs/fuse/transport.h"

#include <assert.h>
#include <string.h>

void request_reply(struct request *rq, int error, const struct iovec *iov, int nr)
{
	struct iovec all[1 + REQUEST_IOV_MAX];
	size_t len = sizeof(rq->out);

	assert(nr >= 0 && nr <= REQUEST_IOV_MAX);
	for (int i = 0; i < nr; i++) {
		all[1 + i] = iov[i];
		len += iov[i].iov_len;
	}
	rq->out = (struct fuse_out_header){
		.len = (uint32_t)len,
		.error = error,
		.unique = rq->unique,
	};
	all[0] = (struct iovec){ .iov_base = &rq->out, .iov_len = sizeof(rq->out) };
	rq->transport->ops->reply(rq, all, 1 + nr);
}

int transport_notify(struct transport *t, int code, const void *body, size_t len)
{
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + len),
		.error = code,
	};
	char copy[64];
	struct iovec iov[] = {
		{ .iov_base = &out, .iov_len = sizeof(out) },
		{ .iov_base = copy, .iov_len = len },
	};

	assert(len <= sizeof(copy));
	memcpy(copy, body, len);
	return t->ops->notify(t, iov, 2);
}

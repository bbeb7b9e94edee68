/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intrusive doubly linked list. A head and a node are the same struct; both are initialised by
 * list_init() before use, and a node that is on no list points to itself. No locking: the owner's
 * lock covers the list.
 */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>

#include "common/compiler.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* True if the node is on a list. */
static inline bool list_is_linked(const struct list *node)
{
	return node->next != node;
}

static inline void list_insert_(struct list *node, struct list *prev, struct list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void list_add_head(struct list *head, struct list *node)
{
	list_insert_(node, head, head->next);
}

static inline void list_add_tail(struct list *head, struct list *node)
{
	list_insert_(node, head->prev, head);
}

/* Takes the node off its list, if it is on one, and leaves it initialised. */
static inline void list_del(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Moves all of from to the end of to, in order; from is empty afterwards. */
static inline void list_splice_tail(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

static inline struct list *list_pop_head_(struct list *head)
{
	struct list *node = head->next;

	if (node == head)
		return NULL;
	list_del(node);
	return node;
}

#define list_entry(node, type, member) container_of(node, type, member)

/* The list is not empty. */
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)

/* Takes the first entry off the list and returns it, or returns NULL. */
#define list_pop_head(head, type, member)                                   \
	({                                                                  \
		struct list *popped_ = list_pop_head_(head);                \
		popped_ ? list_entry(popped_, type, member) : (type *)NULL; \
	})

#define list_next_entry_(pos, member) list_entry((pos)->member.next, __typeof__(*(pos)), member)

/* The body must not take pos off the list. */
#define list_for_each_entry(pos, head, member)                                                 \
	for (pos = list_first_entry(head, __typeof__(*(pos)), member); &pos->member != (head); \
	     pos = list_next_entry_(pos, member))

/* The body may take pos, and only pos, off the list and free it; tmp is the entry after it. */
#define list_for_each_entry_safe(pos, tmp, head, member)               \
	for (pos = list_first_entry(head, __typeof__(*(pos)), member), \
	    tmp = list_next_entry_(pos, member);                       \
	     &pos->member != (head); pos = tmp, tmp = list_next_entry_(tmp, member))

#endif

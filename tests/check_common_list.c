// SPDX-License-Identifier: GPL-2.0-or-later
/* The intrusive list. */
#include "common/list.h"

#include "tests/check_main.h"

struct item {
	int value;
	struct list node;
};

static struct list head;
static struct item items[5];

static void setup(void)
{
	list_init(&head);
	for (size_t i = 0; i < array_size(items); i++) {
		items[i].value = (int)i;
		list_init(&items[i].node);
	}
}

/* The values on the list as decimal digits, forwards; the same must come out backwards. */
static int values_of(struct list *l)
{
	int forwards = 0, backwards = 0, place = 1;
	struct item *it;

	list_for_each_entry(it, l, node)
		forwards = forwards * 10 + it->value;
	for (struct list *n = l->prev; n != l; n = n->prev) {
		backwards += list_entry(n, struct item, node)->value * place;
		place *= 10;
	}
	ck_assert_int_eq(forwards, backwards);
	return forwards;
}

START_TEST(items_keep_the_order_of_adding)
{
	setup();
	ck_assert(list_is_empty(&head));
	list_add_tail(&head, &items[2].node);
	list_add_tail(&head, &items[3].node);
	list_add_head(&head, &items[1].node);
	ck_assert_int_eq(values_of(&head), 123);
	ck_assert_ptr_eq(list_first_entry(&head, struct item, node), &items[1]);
	ck_assert_ptr_eq(list_last_entry(&head, struct item, node), &items[3]);
}
END_TEST

START_TEST(a_deleted_node_is_unlinked_and_may_be_deleted_again)
{
	setup();
	for (size_t i = 1; i < 4; i++)
		list_add_tail(&head, &items[i].node);
	ck_assert(list_is_linked(&items[2].node));
	list_del(&items[2].node);
	list_del(&items[2].node);
	ck_assert(!list_is_linked(&items[2].node));
	ck_assert_int_eq(values_of(&head), 13);
}
END_TEST

START_TEST(pop_takes_from_the_head_until_null)
{
	setup();
	list_add_tail(&head, &items[4].node);
	list_add_tail(&head, &items[1].node);
	ck_assert_ptr_eq(list_pop_head(&head, struct item, node), &items[4]);
	ck_assert(!list_is_linked(&items[4].node));
	ck_assert_ptr_eq(list_pop_head(&head, struct item, node), &items[1]);
	ck_assert_ptr_null(list_pop_head(&head, struct item, node));
}
END_TEST

START_TEST(splice_moves_all_to_the_end)
{
	struct list other;

	setup();
	list_init(&other);
	list_splice_tail(&head, &other);
	ck_assert(list_is_empty(&head));
	list_add_tail(&other, &items[3].node);
	list_add_tail(&other, &items[4].node);
	list_add_tail(&head, &items[1].node);
	list_splice_tail(&head, &other);
	ck_assert(list_is_empty(&other));
	ck_assert_int_eq(values_of(&head), 134);
	list_splice_tail(&other, &head);
	ck_assert(list_is_empty(&head));
	ck_assert_int_eq(values_of(&other), 134);
}
END_TEST

START_TEST(the_safe_loop_survives_deleting_each_entry)
{
	struct item *it, *tmp;
	int seen = 0;

	setup();
	for (size_t i = 1; i < 5; i++)
		list_add_tail(&head, &items[i].node);
	list_for_each_entry_safe(it, tmp, &head, node) {
		seen = seen * 10 + it->value;
		list_del(&it->node);
		it->node.next = NULL;
	}
	ck_assert_int_eq(seen, 1234);
	ck_assert(list_is_empty(&head));
}
END_TEST

static Suite *list_suite(void)
{
	Suite *s = suite_create("list");

	CHECK_CASE(s, "list", items_keep_the_order_of_adding,
		   a_deleted_node_is_unlinked_and_may_be_deleted_again,
		   pop_takes_from_the_head_until_null, splice_moves_all_to_the_end,
		   the_safe_loop_survives_deleting_each_entry);
	return s;
}

CHECK_MAIN(list_suite)

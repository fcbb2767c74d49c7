/* The list, and the walk over it that survives what is done to it meanwhile. */
#include "base/walk.h"
#include "support.h"

#define NODE_COUNT 6

struct item {
    struct aiol__list node;
    char name;
};

struct row {
    struct aiol__list list;
    struct item items[NODE_COUNT];
    struct notes notes;
};

static struct item *item_of(struct aiol__list *node)
{
    return container_of(node, struct item, node);
}

/* The first `count` of them in a list, in order. */
static void init_row(struct row *row, int count)
{
    *row = (struct row){.notes = {.length = 0}};
    aiol__list_init(&row->list);
    for (int i = 0; i < NODE_COUNT; i++) {
        row->items[i].name = (char)('a' + i);
        aiol__list_init(&row->items[i].node);
        if (i < count)
            aiol__list_append(&row->list, &row->items[i].node);
    }
}

static const char *drain(struct row *row, struct aiol__list *list)
{
    struct aiol__list *node;

    row->notes = (struct notes){.length = 0};
    while ((node = aiol__list_take_first(list)) != NULL)
        note(&row->notes, item_of(node)->name);
    return row->notes.text;
}

static void test_nodes_are_taken_in_the_order_in_which_they_were_appended(void **state)
{
    struct row row;

    (void)state;
    init_row(&row, 3);
    aiol__list_insert_before(&row.items[1].node, &row.items[4].node);
    assert_string_equal(drain(&row, &row.list), "aebc");
    assert_true(aiol__list_is_empty(&row.list));
    assert_null(aiol__list_take_first(&row.list));
}

static void test_removing_a_node_twice_does_nothing(void **state)
{
    struct row row;

    (void)state;
    init_row(&row, 3);
    aiol__list_remove(&row.items[1].node);
    assert_false(aiol__list_is_linked(&row.items[1].node));
    aiol__list_remove(&row.items[1].node);
    aiol__list_remove(&row.items[5].node);
    assert_string_equal(drain(&row, &row.list), "ac");
}

static void test_splicing_appends_all_and_leaves_nothing(void **state)
{
    struct aiol__list other;
    struct row row;

    (void)state;
    init_row(&row, 2);
    aiol__list_init(&other);
    aiol__list_splice(&row.list, &other);
    aiol__list_append(&other, &row.items[4].node);
    aiol__list_append(&other, &row.items[3].node);
    aiol__list_splice(&row.list, &other);
    assert_true(aiol__list_is_empty(&other));
    assert_string_equal(drain(&row, &row.list), "abed");
    aiol__list_append(&other, &row.items[2].node);
    aiol__list_splice(&row.list, &other);
    assert_string_equal(drain(&row, &row.list), "c");
}

static void forget(struct aiol__walk *walk, struct item *item)
{
    aiol__walk_forget(walk, &item->node);
    aiol__list_remove(&item->node);
}

static void test_a_walk_does_not_see_what_is_added_meanwhile(void **state)
{
    struct aiol__walk walk = {.next = NULL};
    struct aiol__list *node;
    struct row row;

    (void)state;
    init_row(&row, 3);
    aiol__walk_begin(&walk, row.list.next, row.list.prev);
    while ((node = aiol__walk_next(&walk)) != NULL) {
        note(&row.notes, item_of(node)->name);
        if (item_of(node)->name == 'a')
            aiol__list_append(&row.list, &row.items[4].node);
        /* The last one goes to the end, which no longer ends the walk. */
        if (item_of(node)->name == 'b') {
            forget(&walk, &row.items[2]);
            aiol__list_append(&row.list, &row.items[2].node);
        }
    }
    assert_string_equal(row.notes.text, "ab");
    assert_string_equal(drain(&row, &row.list), "abec");
}

/* Every way to remove some nodes while one of them is visited, for every one of them. */
static void test_a_walk_survives_every_removal_at_every_step(void **state)
{
    (void)state;
    for (int at = 0; at < NODE_COUNT; at++) {
        for (unsigned removed = 0; removed < 1u << NODE_COUNT; removed++) {
            struct aiol__walk walk = {.next = NULL};
            struct aiol__list *node;
            struct row row;
            int next = 0;

            init_row(&row, NODE_COUNT);
            aiol__walk_begin(&walk, row.list.next, row.list.prev);
            while ((node = aiol__walk_next(&walk)) != NULL) {
                while (next > at && next < NODE_COUNT && removed >> next & 1)
                    next++;
                assert_int_equal(item_of(node)->name, 'a' + next);
                if (next++ != at)
                    continue;
                /* From the back and from the front, by turns. */
                for (int i = 0; i < NODE_COUNT; i++) {
                    int victim = removed & 1 ? i : NODE_COUNT - 1 - i;

                    if (removed >> victim & 1)
                        forget(&walk, &row.items[victim]);
                }
            }
            while (next > at && next < NODE_COUNT && removed >> next & 1)
                next++;
            assert_int_equal(next, NODE_COUNT);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nodes_are_taken_in_the_order_in_which_they_were_appended),
        TEST(test_removing_a_node_twice_does_nothing),
        TEST(test_splicing_appends_all_and_leaves_nothing),
        TEST(test_a_walk_does_not_see_what_is_added_meanwhile),
        TEST(test_a_walk_survives_every_removal_at_every_step),
    };

    return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}

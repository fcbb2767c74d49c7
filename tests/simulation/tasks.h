/* Tasks in the model, and the tree of their scopes. */
#ifndef TASKS_H
#define TASKS_H

#include "waits.h"

/*
 * A node in the tree of scopes: what a task does as a whole, a scope, or a group.
 */
struct node {
    struct node *parent;
    struct actor *actor;
    struct aiol_scope *scope; /* the library's; both are NULL for a task as a whole */
    struct aiol_group *group;
    struct alarm deadline;
    bool is_shielded; /* from what cancels the ones above */
    bool is_requested;
    bool is_cancelled;
    bool has_expired;
    bool was_cut;
    bool may_be_cut;       /* the model does not know */
    uint64_t requested_at; /* the number of that cancel */

    uint32_t policy;
    int result;
    unsigned running_count;
    struct line awaiters;
};

void scopes_begin(void);
void node_open(struct node *node, struct node *parent, struct actor *actor);
void node_close(struct node *node);
void node_cancel(struct node *node);
/* Also what is shielded from it. */
void node_cancel_all(struct node *node);
void node_set_deadline(struct node *node, uint64_t deadline_ns);
/* An awaiting call in it was cut short: note it with all whose doing it is. */
void note_cut(struct node *node);
/* The same for one that waited for a descriptor: it was cut short either by the cancel that
 * interrupted it or, woken before that, when it went on and had to wait again. */
void note_fd_cut(struct node *node, uint64_t interrupted_at);
/* Leave with this result, as the library has, with that one. */
void node_leave(struct node *node, int result, int actual);
void group_note_result(struct node *node, int result);
void group_task_ended(struct node *node, int result);
void act_on_scopes(void);
/* Spawn into a group that has no task left, but whose task does not know that yet. */
void spawn_late(void);
/* The innermost one, of a task that is not just beginning or ending. */
void cancel_scope_of(struct actor *actor);
void cancel_all_scopes(void);
void check_scopes(void);
void step_scope(struct actor *self);
void step_group(struct actor *self);
void step_wrong_leave(struct actor *self);

/*
 * A task.
 */
#define MAX_ACTORS 24

struct end;

struct actor {
    int number; /* 0: nobody */
    struct aiol_task *task;
    bool has_handle;
    bool has_begun;
    bool has_ended;
    int result;
    unsigned depth; /* of scopes and groups */
    struct node own;
    struct node *scope; /* the innermost one */
    struct node *group; /* that it was spawned into, or NULL */

    struct waiter wait;
    struct alarm alarm; /* its sleep */
    bool waits_for_group;
    bool waits_for_fd;       /* the model does not know until when */
    uint64_t interrupted_at; /* the number of the cancel that has; 0: none */
    uint64_t interrupted_turn;
    struct end *end; /* whose descriptor it waits for, */
    uint32_t wanted; /* and for what: AIOL_READABLE or AIOL_WRITABLE */
    unsigned owed_turns;
    struct actor *awaits;
    struct actor *claimed_by; /* who awaits its end */
    struct line enders;       /* likewise, as long as it has not ended */

    bool is_ready;
    bool is_unordered; /* ready, but the model does not know since when */
    uint64_t rank;     /* those of a lower rank go on before */
    uint64_t ready_turn;
    uint64_t ready_ns;
};

extern struct actor actors[MAX_ACTORS];

void tasks_begin(void);
struct actor *actor_new(struct node *group); /* NULL: there are enough */
void actor_spawn(struct actor *actor);
void actor_end(struct actor *actor, int result);
void actor_free(struct actor *actor);
uint64_t task_switches(void); /* how often another one went on than before */
void check_tasks(void);
void make_ready(struct actor *actor);
/* What becomes ready in between does so by one call, in no particular order. */
void batch_begin(void);
void batch_end(void);
bool is_anyone_ready(void);
uint64_t tasks_alive(void);
/* Cut short what an actor waits for. */
void interrupt(struct actor *actor, uint64_t cancel_number);

/* An awaiting call begins. If it is not cut short then wait.is_pending is true, and may be given a
 * status and made false when the call need not wait. */
void begin_wait(struct actor *self);
void end_wait(struct actor *self, const char *what, int rc);
/* The same for a wait whose end the model does not foresee. Ending it says if it was cut short. */
void begin_fd_wait(struct actor *self, struct end *end, uint32_t wanted);
bool end_fd_wait(struct actor *self, int64_t rc);
/* The task goes on. */
void resumed(struct actor *self);

/* task_steps.c */
void spawn(struct node *group); /* NULL: into none */
void take_steps(struct actor *self);

#endif

/* What turns.c asks of the subjects to compare a turn with. */
#ifndef SUBJECTS_H
#define SUBJECTS_H

#include "tasks.h"

/* posts.c */
bool is_post_due(void); /* in the phase that comes next */
uint64_t posters_alive(void);
/* The loop is about to be freed, or has been: posts that are left are told. */
void posts_before_free(void);
void posts_after_free(void);

/* streams.c, stream_steps.c and watchers.c */
uint64_t watcher_ref_count(void);
bool is_watcher_owed(void); /* a watcher or a task that waits for a descriptor is to be told */
bool is_anything_under_way(void); /* something will arrive where one of them waits for it */

#endif

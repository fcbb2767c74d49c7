/*
 * The descriptor by which a sleeping loop is woken from another thread or a signal handler. Its
 * owner is the mailbox (src/reactor/mailbox.h), which may outlive the loop.
 */
#ifndef AIOL__PLATFORM_WAKEUP_H
#define AIOL__PLATFORM_WAKEUP_H

struct aiol__wakeup {
    int read_fd; /* readable after a signal; what the poller watches */
    int write_fd;
};

/* 0, or -EMFILE, -ENFILE, -ENOMEM. */
int aiol__wakeup_open(struct aiol__wakeup *wakeup);
void aiol__wakeup_close(struct aiol__wakeup *wakeup);

/* Make it readable. Any thread, also in a signal handler; keeps errno. */
void aiol__wakeup_signal(const struct aiol__wakeup *wakeup);

/* Make it unreadable again. */
void aiol__wakeup_clear(const struct aiol__wakeup *wakeup);

#endif

/* What is registered, by descriptor.
 *
 * A table in pages, of which only those in use exist: a burst leaves nothing behind,
 * and who walks it sees little else than that.  An entry stays where it is
 * until it is dropped.
 */
#ifndef AH_LOOP_FD_TABLE_H
#define AH_LOOP_FD_TABLE_H

#include "loop/handle.h"
#include "loop/loop.h"

struct fd_entry {
    HandleObject *reader;     /* owned */
    HandleObject *writer;     /* owned */
    struct ah_reader *native; /* instead of the two; in `owner` */
    PyObject *owner;          /* owned: embeds native, or is what the two were
                                 registered with; NULL: a number */
    uint32_t events;          /* as epoll knows them; 0: the descriptor was closed */
    uint32_t generation;      /* of this registration: tells events of another one */
    uint32_t reports;         /* events so far */
    bool used;
};

#define FD_PAGE 64

struct fd_page {
    size_t used;
    struct fd_entry entries[FD_PAGE];
};

struct fd_table {
    struct fd_page **pages; /* NULL where nothing is registered */
    size_t size;            /* of `pages` */
    struct fd_page *spare;  /* an unused one: one descriptor may come and go often */
    size_t used;            /* entries */
};

/* NULL: nothing is registered with it. */
static inline struct fd_entry *
fd_table_find(const struct fd_table *table, int fd)
{
    size_t page = (size_t)fd / FD_PAGE;
    if (page >= table->size || table->pages[page] == NULL) {
        return NULL;
    }
    struct fd_entry *entry = &table->pages[page]->entries[fd % FD_PAGE];
    return entry->used ? entry : NULL;
}

/* A zeroed one for a descriptor that has none; NULL: no memory, no exception set. */
struct fd_entry *fd_table_add(struct fd_table *table, int fd);
void fd_table_drop(struct fd_table *table, int fd);

/* The first descriptor from `fd` on that is registered, or -1. */
int fd_table_next(const struct fd_table *table, int fd);

void fd_table_free(struct fd_table *table); /* releases no reference */

#endif

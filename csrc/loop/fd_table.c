/* Pages come and go; see fd_table.h. */
#include "loop/fd_table.h"

static int
grow(struct fd_table *table, size_t least)
{
    size_t size = table->size != 0 ? table->size : 4;
    while (size < least) {
        size *= 2;
    }
    struct fd_page **pages = PyMem_Realloc(table->pages, size * sizeof *pages);
    if (pages == NULL) {
        return -1;
    }
    memset(pages + table->size, 0, (size - table->size) * sizeof *pages);
    table->pages = pages;
    table->size = size;
    return 0;
}

struct fd_entry *
fd_table_add(struct fd_table *table, int fd)
{
    size_t index = (size_t)fd / FD_PAGE;
    if (index >= table->size && grow(table, index + 1) < 0) {
        return NULL;
    }
    struct fd_page *page = table->pages[index];
    if (page == NULL) {
        page = table->spare != NULL ? table->spare : PyMem_Calloc(1, sizeof *page);
        if (page == NULL) {
            return NULL;
        }
        table->spare = NULL;
        table->pages[index] = page;
    }
    struct fd_entry *entry = &page->entries[fd % FD_PAGE];
    *entry = (struct fd_entry){.used = true};
    page->used++;
    table->used++;
    return entry;
}

void
fd_table_drop(struct fd_table *table, int fd)
{
    struct fd_page **page = &table->pages[fd / FD_PAGE];
    (*page)->entries[fd % FD_PAGE].used = false;
    table->used--;
    if (--(*page)->used == 0) {
        PyMem_Free(table->spare);
        table->spare = *page;
        *page = NULL;
    }
}

int
fd_table_next(const struct fd_table *table, int fd)
{
    size_t at = (size_t)fd;
    while (at / FD_PAGE < table->size) {
        const struct fd_page *page = table->pages[at / FD_PAGE];
        if (page == NULL) {
            at = (at / FD_PAGE + 1) * FD_PAGE;
        }
        else if (page->entries[at % FD_PAGE].used) {
            return (int)at;
        }
        else {
            at++;
        }
    }
    return -1;
}

void
fd_table_free(struct fd_table *table)
{
    for (size_t i = 0; i < table->size; i++) {
        PyMem_Free(table->pages[i]);
    }
    PyMem_Free(table->pages);
    PyMem_Free(table->spare);
    *table = (struct fd_table){0};
}

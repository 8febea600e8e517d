/* A first-fit heap: chunks of a multiple of 16 bytes, a header each, from one end of a region to
   the other. Free chunks that follow one another are merged when a search comes by. */

#include <stddef.h>

struct chunk {
    size_t bytes; /* header included */
    size_t taken;
};

static struct chunk *first, *end;

static struct chunk *behind(struct chunk *chunk, size_t bytes)
{
    return (struct chunk *)((char *)chunk + bytes);
}

void heap_init(void *start, size_t bytes)
{
    bytes -= bytes % sizeof(struct chunk);
    first = start;
    end = behind(first, bytes);
    first->bytes = bytes;
    first->taken = 0;
}

void *heap_malloc(size_t bytes)
{
    const size_t header = sizeof(struct chunk);
    if (bytes > (size_t)-1 - 2 * header)
        return NULL;
    bytes = (bytes + header - 1) / header * header + header;
    for (struct chunk *chunk = first; chunk != end; chunk = behind(chunk, chunk->bytes)) {
        if (chunk->taken)
            continue;
        struct chunk *next = behind(chunk, chunk->bytes);
        for (; next != end && !next->taken; next = behind(chunk, chunk->bytes))
            chunk->bytes += next->bytes;
        if (chunk->bytes < bytes)
            continue;
        if (chunk->bytes > bytes) {
            struct chunk *rest = behind(chunk, bytes);
            rest->bytes = chunk->bytes - bytes;
            rest->taken = 0;
            chunk->bytes = bytes;
        }
        chunk->taken = 1;
        return chunk + 1;
    }
    return NULL;
}

void heap_free(void *block)
{
    if (block)
        ((struct chunk *)block - 1)->taken = 0;
}

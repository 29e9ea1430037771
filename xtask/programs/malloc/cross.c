/* Producers allocate, consumers free: two pairs of threads, each with a queue of batches between them. */

#include "bench.h"
#include <pthread.h>

enum { PAIRS = 2, QUEUE = 8, BATCH = 512, BATCHES = 6000 };

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t made, taken;
    void *blocks[QUEUE][BATCH];
    uint64_t sum;
} Queue;

static Queue queues[PAIRS];

static size_t size_of(size_t i) {
    return 16 + i * 7919 % 240;
}

/* Waits until there are `least` batches in the queue, and at most `most`. */
static void await(Queue *queue, size_t least, size_t most) {
    pthread_mutex_lock(&queue->lock);
    while (queue->made - queue->taken < least || queue->made - queue->taken > most)
        pthread_cond_wait(&queue->changed, &queue->lock);
    pthread_mutex_unlock(&queue->lock);
}

static void count(Queue *queue, size_t *which) {
    pthread_mutex_lock(&queue->lock);
    ++*which;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

static void *produce(void *of) {
    Queue *queue = of;
    for (size_t batch = 0; batch < BATCHES; batch++) {
        await(queue, 0, QUEUE - 1);
        for (size_t i = 0; i < BATCH; i++) {
            void *block = malloc(size_of(i));
            mark(block, size_of(i), i);
            queue->blocks[batch % QUEUE][i] = block;
        }
        count(queue, &queue->made);
    }
    return NULL;
}

static void *consume(void *of) {
    Queue *queue = of;
    for (size_t batch = 0; batch < BATCHES; batch++) {
        await(queue, 1, QUEUE);
        for (size_t i = 0; i < BATCH; i++) {
            void *block = queue->blocks[batch % QUEUE][i];
            queue->sum += marked(block, size_of(i), i);
            free(block);
        }
        count(queue, &queue->taken);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[2 * PAIRS];
    uint64_t sum = 0;
    for (int i = 0; i < PAIRS; i++) {
        pthread_mutex_init(&queues[i].lock, NULL);
        pthread_cond_init(&queues[i].changed, NULL);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        require(pthread_create(&threads[i], NULL, i % 2 ? consume : produce, &queues[i / 2]) == 0, "a thread");
    for (int i = 0; i < 2 * PAIRS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < PAIRS; i++)
        sum += queues[i].sum;
    return told(sum);
}

/* A process into which a second malloc is loaded behind the first: `copies MODE PLUGIN`, where the
 * plugin is linked with the malloc under test. Blocks are handed across in both directions and freed
 * on the other side. Prints how many regions the process has in the end.
 *
 *   open       dlopen: everybody uses the malloc that was there first
 *   deepbind   dlopen with RTLD_DEEPBIND: the plugin is bound to its own copy
 *   namespace  dlmopen: another C library, another heap; nothing is handed across
 */
#include "maps.h"
#include <dlfcn.h>

enum { MANY = 1000 };

static void *(*plugin_malloc)(size_t);
static void (*plugin_free)(void *);
static char *(*plugin_strdup)(const char *);

static void load(void *library) {
    if (!library) {
        say(2, dlerror());
        say(2, "\n");
        exit(1);
    }
    *(void **)&plugin_malloc = dlsym(library, "plugin_malloc");
    *(void **)&plugin_free = dlsym(library, "plugin_free");
    *(void **)&plugin_strdup = dlsym(library, "plugin_strdup");
    REQUIRE(plugin_malloc && plugin_free && plugin_strdup);
}

static void *use(void *crossing) {
    static struct block *ours[MANY];
    uint64_t random = 11;
    for (int i = 0; i < MANY; i++) {
        ours[i] = block_new(random_size(&random), (uint32_t)i);
        size_t size = random_size(&random);
        void *theirs = plugin_malloc(size);
        char *text = plugin_strdup("some text");
        REQUIRE(theirs && strcmp(text, "some text") == 0);
        fill(theirs, size, 4);
        if (crossing) {
            theirs = realloc(theirs, size + 2000);
            REQUIRE(theirs && filled(theirs, size & ~(size_t)7, 4));
            free(theirs);
            free(text);
        } else {
            plugin_free(theirs);
            plugin_free(text);
        }
    }
    for (int i = 0; i < MANY; i++) {
        block_check(ours[i]);
        crossing ? plugin_free(ours[i]) : free(ours[i]);
    }
    return NULL;
}

int main(int count, char **arguments) {
    REQUIRE(count == 3);
    int apart = strcmp(arguments[1], "namespace") == 0;
    int deep = strcmp(arguments[1], "deepbind") == 0 ? RTLD_DEEPBIND : 0;
    load(apart ? dlmopen(LM_ID_NEWLM, arguments[2], RTLD_NOW) : dlopen(arguments[2], RTLD_NOW | deep));
    use(apart ? NULL : arguments);
    REQUIRE(pthread_join(thread_start(use, apart ? NULL : arguments), NULL) == 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        use(apart ? NULL : arguments);
        exit(0);
    }
    reap(child);
    say_number(1, "regions", count_regions());
    return done();
}

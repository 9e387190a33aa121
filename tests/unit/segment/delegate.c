/* An external TensorFlow Lite delegate for tests: it runs one operator of the model by the runtime's own
 * kernel, and misbehaves as the first word of a file says, which is read before every inference.
 * The structures are as in TensorFlow Lite's C API, as far as they are used. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, ERROR = 1, ADD = 0, LOGISTIC = 14, MUL = 18 };

struct array { int size; int data[]; };
struct context;
struct node {
    struct array *inputs, *outputs, *intermediates, *temporaries;
    void *user_data, *builtin_data;
    const void *custom_data;
    int custom_size;
    void *delegate;
    int has_side_effect;
};
struct registration {
    void *(*init)(struct context *, const char *, size_t);
    void (*free)(struct context *, void *);
    int (*prepare)(struct context *, struct node *);
    int (*invoke)(struct context *, struct node *);
    void *profiling;
    int32_t code;
    const char *name;
    int version;
    void *external, *async;
    uint64_t inplace;
};
struct context {
    size_t tensors;
    int (*plan)(struct context *, struct array **);
    void *tensor, *impl, *resize;
    void (*report)(struct context *, const char *, ...);
    void *add;
    int (*node)(struct context *, int, struct node **, struct registration **);
    int (*replace)(struct context *, struct registration, const struct array *, void *);
};
struct delegate {
    void *data;
    int (*prepare)(struct context *, struct delegate *);
    void *copies[3];
    int64_t flags;
    void *opaque[8];
};

static struct node original;
static struct registration kernel;

static int ordered(const char *what) {
    char word[16] = "";
    const char *path = getenv("SCRIM_TEST_DELEGATE");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fscanf(file, "%15s", word) != 1) word[0] = 0;
        fclose(file);
    }
    return strcmp(word, what) == 0;
}

static void misbehave(const char *when) {
    char what[32];
    snprintf(what, sizeof what, "%s-hang", when);
    if (ordered(what)) for (;;) pause();
    snprintf(what, sizeof what, "%s-abort", when);
    if (ordered(what)) abort();
    snprintf(what, sizeof what, "%s-crash", when);
    if (ordered(what)) *(volatile int *)16 = 1;
}

static void *init(struct context *context, const char *buffer, size_t length) {
    (void)context, (void)buffer, (void)length;
    return &original;
}

static int prepare_node(struct context *context, struct node *node) {
    (void)node;
    return kernel.prepare ? kernel.prepare(context, &original) : OK;
}

static int invoke(struct context *context, struct node *node) {
    (void)node;
    misbehave("run");
    if (ordered("run-error")) {
        context->report(context, "planted: the device is gone");
        return ERROR;
    }
    return kernel.invoke(context, &original);
}

static int prepare(struct context *context, struct delegate *self) {
    struct array *plan;
    struct { int size, data[1]; } chosen = {1, {-1}};
    struct registration mine = {.init = init, .prepare = prepare_node, .invoke = invoke, .name = "TEST", .version = 1};
    if (ordered("refuse") || context->plan(context, &plan) != OK) return ERROR;
    for (int i = 0; i < plan->size; i++) {
        struct node *node;
        struct registration *found;
        if (context->node(context, plan->data[i], &node, &found) != OK) return ERROR;
        if (found->code != ADD && found->code != LOGISTIC && found->code != MUL) continue;
        chosen.data[0] = plan->data[i];
        original = *node;
        kernel = *found;
        break;
    }
    if (chosen.data[0] < 0) return ERROR;
    return context->replace(context, mine, (const struct array *)&chosen, self);
}

static struct delegate only = {.prepare = prepare};

void *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    (void)keys, (void)values, (void)count;
    puts("a line on the standard output, as libraries print");
    fflush(stdout);
    misbehave("load");
    if (!ordered("no-device")) return &only;
    report("planted: no device");
    return NULL;
}

void tflite_plugin_destroy_delegate(void *delegate) { (void)delegate; }

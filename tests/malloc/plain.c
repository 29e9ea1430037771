/* Asks for little and does it: what a program looks like to a malloc that cannot serve it. */
#include "common.h"

int main(void) {
    char *text = strdup("text");
    free(text);
    return text ? done() : 3;
}

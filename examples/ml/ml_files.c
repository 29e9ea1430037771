/* Files for a language whose values C sees through handles: `ml_open`, `ml_close`, `ml_read`, `ml_opendir`.
 *
 *     cc -shared -fPIC -I ../../ffi_boundary/capi/include ml_files.c -o libml_files.so
 *     LD_LIBRARY_PATH=. bowline run ml.scm
 *
 * Each takes one value and gives one. What the system refuses becomes a system-error of the program, with number, name and
 * text; a value of the wrong type an error that says which was wanted. */
#include <bowline.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

/* The last function of the interface has failed: the program is told what it said. */
static bl_handle refuse(void)
{
    return bl_raise_error(bl_last_error());
}

/* A name -> a file descriptor. */
bl_handle ml_open(bl_handle name)
{
    /* The string's own bytes, which stay where they are until this function returns. */
    const char *path = bl_to_string(name, NULL);
    if (path == NULL) return refuse();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? bl_from_int(fd) : bl_raise_errno();
}

/* A file descriptor -> 0. */
bl_handle ml_close(bl_handle fd)
{
    int64_t n;
    if (bl_to_int(fd, &n) != BL_OK) return refuse();
    return close((int)n) == 0 ? bl_from_int(0) : bl_raise_errno();
}

/* A tuple of a file descriptor and a buffer -> how many bytes were read into the buffer; 0 at the end of the file. */
bl_handle ml_read(bl_handle tuple)
{
    enum { FD, BUFFER, FIELDS };
    bl_handle field[FIELDS];
    int64_t n;
    size_t length;
    if (bl_to_tuple(tuple, field, FIELDS) != BL_OK) return refuse();
    if (bl_to_int(field[FD], &n) != BL_OK) return refuse();
    void *bytes = bl_to_bytes(field[BUFFER], &length);
    if (bytes == NULL) return refuse();
    ssize_t count = read((int)n, bytes, length);
    return count >= 0 ? bl_from_int(count) : bl_raise_errno();
}

/* A directory's name -> a pointer for readdir and closedir. */
bl_handle ml_opendir(bl_handle name)
{
    const char *path = bl_to_string(name, NULL);
    if (path == NULL) return refuse();
    DIR *stream = opendir(path);
    return stream != NULL ? bl_from_pointer(stream) : bl_raise_errno();
}

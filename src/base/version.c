/* The version of the library itself, for programs that were compiled against another header. */
#include <aiol/base.h>

uint32_t aiol_version(void)
{
    return AIOL_VERSION_MAJOR * 1000000 + AIOL_VERSION_MINOR * 1000 + AIOL_VERSION_PATCH;
}

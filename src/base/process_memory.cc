#include "base/process_memory.h"

#include <malloc.h>

namespace biwa {

void KeepLargeBlocksApart() {
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
}

}  // namespace biwa

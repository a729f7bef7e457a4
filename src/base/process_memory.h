// How the C library deals with this process's memory.
#pragma once

namespace biwa {

// Large blocks grow without being copied, and go back to the system when they are freed; the C
// library would come to keep such as it has seen freed, and leave holes of them behind. Called
// first of all.
void KeepLargeBlocksApart();

}  // namespace biwa

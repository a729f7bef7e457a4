// What is said of a database's address that cannot be read. The address is not repeated: a password
// may stand in it.
#pragma once

namespace biwa {

inline constexpr const char* kPercentEncoded =
    "Characters such as @ : / ? # % and spaces are written percent-encoded in a password, and in "
    "the names of a user or a database: %40 %3A %2F %3F %23 %25 %20.";

}  // namespace biwa

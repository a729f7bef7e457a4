// What MariaDB compresses with zlib: the rows and statements of events (log_bin_compress), and
// values of COMPRESSED columns, which the binary log has as they are stored.
//
//   uint8   0x80 | 8 without zlib's own header and checksum (columns only) | bytes of the length
//   length  before compression, big-endian, in one to four bytes
//   data    by zlib
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace biwa::mysql {

// Whole into `buffer`; what is returned points there. kCorrupt when it is not of the form.
Result<std::string_view> Uncompress(std::string_view bytes, std::string& buffer);

// A value of a COMPRESSED column. One that is short is stored as it is, behind a byte of zero.
Result<std::string_view> UncompressValue(std::string_view bytes, std::string& buffer);

}  // namespace biwa::mysql

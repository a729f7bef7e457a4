// A file read line by line, plain or compressed by gzip: as large as it likes, lines too.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace biwa::dump {

// Tells a file from what it was, by its size and the time of its last change.
struct FileMark {
    std::uint64_t bytes = 0;
    std::int64_t changed_us = 0;  // since 1970

    std::string ToString() const;
    friend bool operator==(const FileMark&, const FileMark&) = default;
};

// Of a file that is there by this name. kUnavailable when there is none.
Result<FileMark> MarkOf(const std::string& path);

// Where a line begins.
struct LinePlace {
    std::uint64_t offset = 0;  // of what the file has uncompressed
    std::uint64_t line = 1;
};

class LineFile {
  public:
    // kUser for what is no file of lines: a folder, an archive of pg_dump, another compression.
    static Result<LineFile> Open(const std::string& path);

    // The next line without its end; false at the file's end. The view is good until the next call.
    Result<bool> Next(std::string_view& line);
    // Goes to where a line begins; of a compressed file by reading up to there.
    Status Seek(const LinePlace& place);

    // Of the line that Next gives next.
    const LinePlace& place() const { return place_; }
    // Of the open file, whatever has its name by now.
    Result<FileMark> mark() const;
    const std::string& path() const { return path_; }

  private:
    LineFile(std::string path, gzFile file, int descriptor);
    Result<bool> Fill();

    std::string path_;
    std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
    int descriptor_;  // of file_
    std::vector<char> buffer_;
    std::size_t begin_ = 0, end_ = 0;  // of what is read and not given out
    std::string line_;                 // one that began in an earlier part of the file
    LinePlace place_;
};

}  // namespace biwa::dump

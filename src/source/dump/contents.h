// What is in a file of rows: its tables, with their types, and where the rows of each stand. It is
// read once from end to end for that.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "source/dump/line_file.h"
#include "source/postgres/types.h"
#include "source/source.h"

namespace biwa::dump {

enum class Format { kCopy, kCsv };

// Rows that stand together: of a partitioned table there are several.
struct Section {
    LinePlace begin;  // of its first row
    std::vector<std::string> columns;
    std::int64_t rows = 0;
    std::int64_t bytes = 0;
};

struct DumpedTable {
    SourceTable table;
    std::vector<postgres::ColumnDecoder> decoders;  // one a column of table.columns
    std::vector<Section> sections;
};

struct Contents {
    FileMark mark;
    Format format = Format::kCopy;
    std::vector<DumpedTable> tables;  // in the order of the file
};

// By the file's name: .csv and .csv.gz are CSV with a line of names, all else is a plain dump of
// pg_dump. `columns`: of CSV, what its columns are, as in CREATE TABLE; those that are not there
// are text. kUser says why the file is none of these.
Result<std::shared_ptr<const Contents>> ReadContents(const std::string& path,
                                                     const std::string& columns);

}  // namespace biwa::dump

// The forms in which a result can be had, by the name of the command line and the media type of
// HTTP.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "query/sink.h"

namespace biwa {

struct ResultFormat {
    const char* name;          // "csv"
    const char* content_type;  // "text/csv"
    std::unique_ptr<ResultSink> (*make)(ByteOutput output);
};

std::span<const ResultFormat> ResultFormats();
// nullptr when there is none of that name.
const ResultFormat* FindResultFormat(std::string_view name);

}  // namespace biwa

#include "query/formats.h"

#include "query/arrow_stream.h"
#include "query/csv_writer.h"
#include "query/json_writer.h"
#include "query/table_writer.h"

namespace biwa {

namespace {

template <typename Sink>
std::unique_ptr<ResultSink> Make(ByteOutput output) {
    return std::make_unique<Sink>(std::move(output));
}

constexpr ResultFormat kFormats[] = {
    {"json", "application/json", Make<JsonSink>},
    {"arrow", "application/vnd.apache.arrow.stream", Make<ArrowSink>},
    {"csv", "text/csv", Make<CsvSink>},
    {"table", "text/plain", Make<TableSink>},
};

}  // namespace

std::span<const ResultFormat> ResultFormats() { return kFormats; }

const ResultFormat* FindResultFormat(std::string_view name) {
    for (const auto& format : kFormats) {
        if (name == format.name) return &format;
    }
    return nullptr;
}

}  // namespace biwa

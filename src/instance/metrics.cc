#include "instance/metrics.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <functional>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace biwa {

namespace {

using Label = std::pair<std::string_view, std::string_view>;

std::string Number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
    return fmt::format("{}", value);
}

std::string LabelValue(std::string_view value) {
    // A name that is not UTF-8 would make the whole answer unreadable.
    const bool is_text = IsValidUtf8(value);
    std::string escaped;
    for (const char c : value) {
        if (c == '\\' || c == '"') {
            escaped += '\\';
            escaped += c;
        } else if (c == '\n') {
            escaped += "\\n";
        } else {
            escaped += is_text || (c & 0x80) == 0 ? c : '?';
        }
    }
    return escaped;
}

// All samples of a name follow its HELP and TYPE, as the format demands: one call a name.
class Exposition {
  public:
    void Begin(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    }
    void Add(std::initializer_list<Label> labels, double value, std::string_view suffix = "") {
        text_ += name_;
        text_ += suffix;
        char separator = '{';
        for (const auto& [label, text] : labels) {
            text_ += fmt::format("{}{}=\"{}\"", separator, label, LabelValue(text));
            separator = ',';
        }
        if (separator == ',') text_ += '}';
        text_ += fmt::format(" {}\n", Number(value));
    }
    void One(std::string_view name, std::string_view type, std::string_view help, double value) {
        Begin(name, type, help);
        Add({}, value);
    }
    std::string Take() { return std::move(text_); }

  private:
    std::string name_;
    std::string text_;
};

double Seconds(Micros time) { return static_cast<double>(time) / 1e6; }

constexpr std::array kStreamStates = {
    StreamStatus::State::kStarting,   StreamStatus::State::kSnapshot,
    StreamStatus::State::kCatchingUp, StreamStatus::State::kStreaming,
    StreamStatus::State::kRetrying,   StreamStatus::State::kFailed,
    StreamStatus::State::kStopped,    StreamStatus::State::kPaused};
constexpr std::array kTableStates = {
    StreamStatus::TableState::kWaiting, StreamStatus::TableState::kCopying,
    StreamStatus::TableState::kLive,    StreamStatus::TableState::kRefused,
    StreamStatus::TableState::kPaused,  StreamStatus::TableState::kGone};
constexpr std::array kModelStates = {
    workflow::ModelStatus::State::kNever,  workflow::ModelStatus::State::kRunning,
    workflow::ModelStatus::State::kOk,     workflow::ModelStatus::State::kWarned,
    workflow::ModelStatus::State::kFailed, workflow::ModelStatus::State::kSkipped};

// One number of each stream.
struct StreamMetric {
    const char* name;
    const char* type;
    const char* help;
    double (*value)(const StreamStatus&);
};

const StreamMetric kStreamMetrics[] = {
    {"biwa_stream_lag_seconds", "gauge",
     "Age of the oldest committed change that cannot be seen in the warehouse yet.",
     [](const StreamStatus& s) { return s.lag_seconds; }},
    {"biwa_stream_lag_bytes", "gauge", "Log of the source between what it may forget and its end.",
     [](const StreamStatus& s) { return static_cast<double>(s.lag_bytes); }},
    {"biwa_stream_retained_log_bytes", "gauge",
     "Log (WAL) that the source keeps on its disk for the stream.",
     [](const StreamStatus& s) { return static_cast<double>(s.retained_bytes); }},
    {"biwa_stream_last_commit_timestamp_seconds", "gauge",
     "When the last transaction that can be seen was committed at the source.",
     [](const StreamStatus& s) { return Seconds(s.commit_time); }},
    {"biwa_stream_changes_total", "counter", "Changes applied.",
     [](const StreamStatus& s) { return static_cast<double>(s.changes_total); }},
    {"biwa_stream_changes_per_second", "gauge", "Changes applied during the last second.",
     [](const StreamStatus& s) { return s.changes_per_s; }},
    {"biwa_stream_copied_rows_total", "counter", "Rows copied by first copies.",
     [](const StreamStatus& s) { return static_cast<double>(s.rows_total); }},
    {"biwa_stream_copied_rows_per_second", "gauge", "Rows copied during the last second.",
     [](const StreamStatus& s) { return s.rows_per_s; }},
    {"biwa_stream_unrepresentable_values_total", "counter",
     "Values that the warehouse's types cannot hold and that are NULL.",
     [](const StreamStatus& s) { return static_cast<double>(s.unrepresentable); }},
    {"biwa_stream_batch_changes", "gauge", "Changes of the last commit.",
     [](const StreamStatus& s) { return static_cast<double>(s.commits.changes); }},
    {"biwa_stream_batch_bytes", "gauge", "Memory of the last commit's changes.",
     [](const StreamStatus& s) { return static_cast<double>(s.commits.bytes); }},
    {"biwa_stream_queue_bytes", "gauge", "Changes received that wait to be taken up.",
     [](const StreamStatus& s) { return static_cast<double>(s.queue_bytes); }},
    {"biwa_stream_queue_limit_bytes", "gauge", "What may wait before the source has to.",
     [](const StreamStatus& s) { return static_cast<double>(s.queue_bytes_max); }},
};

void AddStreams(const std::vector<StreamStatus>& streams, Exposition& text) {
    for (const auto& [name, type, help, value] : kStreamMetrics) {
        text.Begin(name, type, help);
        for (const auto& stream : streams) text.Add({{"stream", stream.name}}, value(stream));
    }
    text.Begin("biwa_stream_state", "gauge", "1 for the state that the stream is in.");
    for (const auto& stream : streams) {
        for (const auto state : kStreamStates) {
            text.Add({{"stream", stream.name}, {"state", ToString(state)}}, stream.state == state);
        }
    }
    text.Begin("biwa_stream_errors_total", "counter", "Errors that interrupted the stream.");
    for (const auto& stream : streams) {
        for (std::size_t kind = 0; kind < stream.errors.size(); ++kind) {
            text.Add({{"stream", stream.name}, {"kind", ToString(static_cast<ErrorKind>(kind))}},
                     static_cast<double>(stream.errors[kind]));
        }
    }
    text.Begin("biwa_stream_commit_duration_seconds", "histogram",
               "How long commits of changes to the warehouse took.");
    for (const auto& stream : streams) {
        const auto& commits = stream.commits;
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < commits.within.size(); ++i) {
            sum += commits.within[i];
            const auto bound =
                i < commits.kBounds.size() ? Number(commits.kBounds[i]) : std::string("+Inf");
            text.Add({{"stream", stream.name}, {"le", bound}}, static_cast<double>(sum), "_bucket");
        }
        text.Add({{"stream", stream.name}}, commits.seconds_total, "_sum");
        text.Add({{"stream", stream.name}}, static_cast<double>(commits.total), "_count");
    }
}

void AddTables(const std::vector<StreamStatus>& streams, Exposition& text) {
    const auto each = [&](const auto& add) {
        for (const auto& stream : streams) {
            for (const auto& table : stream.tables) add(stream, table);
        }
    };
    using Table = StreamStatus::Table;
    text.Begin("biwa_table_state", "gauge", "1 for the state that the table is in.");
    each([&](const StreamStatus& stream, const Table& table) {
        for (const auto state : kTableStates) {
            text.Add({{"stream", stream.name}, {"table", table.source}, {"state", ToString(state)}},
                     table.state == state);
        }
    });
    text.Begin("biwa_table_copied_rows", "gauge", "Rows that the copy has brought so far.");
    each([&](const StreamStatus& stream, const Table& table) {
        text.Add({{"stream", stream.name}, {"table", table.source}},
                 static_cast<double>(table.rows_copied));
    });
    text.Begin("biwa_table_estimated_rows", "gauge", "Rows of the table, as the source guesses.");
    each([&](const StreamStatus& stream, const Table& table) {
        text.Add({{"stream", stream.name}, {"table", table.source}},
                 static_cast<double>(table.rows_estimate));
    });
    text.Begin(
        "biwa_table_last_change_timestamp_seconds", "gauge",
        "When the table's last change was committed at the source; absent before the first.");
    each([&](const StreamStatus& stream, const Table& table) {
        if (table.last_change_at == 0) return;
        text.Add({{"stream", stream.name}, {"table", table.source}}, Seconds(table.last_change_at));
    });
}

void AddModels(const InstanceFacts& facts, Exposition& text) {
    const auto& models = facts.models;
    text.Begin("biwa_model_state", "gauge", "1 for how the model's last run ended.");
    for (const auto& model : models) {
        for (const auto state : kModelStates) {
            text.Add({{"model", model.name.ToString()}, {"state", ToString(state)}},
                     model.state == state);
        }
    }
    text.Begin("biwa_model_last_run_timestamp_seconds", "gauge",
               "When the model last ran; absent before the first time.");
    for (const auto& model : models) {
        if (!model.last_run_at) continue;
        text.Add({{"model", model.name.ToString()}}, Seconds(*model.last_run_at));
    }
    text.Begin("biwa_model_last_run_duration_seconds", "gauge", "How long its last run took.");
    for (const auto& model : models) {
        text.Add({{"model", model.name.ToString()}}, model.seconds);
    }
    text.Begin("biwa_model_rows", "gauge",
               "Rows of the model's table after its last build; absent where it has none.");
    for (const auto& model : models) {
        if (!model.rows) continue;
        text.Add({{"model", model.name.ToString()}}, static_cast<double>(*model.rows));
    }
    text.Begin("biwa_model_bytes", "gauge",
               "Size of the values of the model's table, before they are compressed; absent where "
               "it has none.");
    for (const auto& model : models) {
        if (!model.bytes) continue;
        text.Add({{"model", model.name.ToString()}}, static_cast<double>(*model.bytes));
    }
    text.Begin("biwa_model_data_age_seconds", "gauge",
               "Age of the data of a model that promises a freshness; absent while not known.");
    for (const auto& [model, freshness] : facts.freshness) {
        if (freshness.as_of) text.Add({{"model", model.ToString()}}, freshness.age_seconds);
    }
    text.Begin("biwa_model_freshness_broken", "gauge",
               "0: as fresh as promised. 1: older than its limit to warn. 2: older than its limit "
               "for an error, or not known.");
    for (const auto& [model, freshness] : facts.freshness) {
        const bool is_bad = freshness.state == ModelFreshness::State::kError ||
                            freshness.state == ModelFreshness::State::kUnknown;
        text.Add({{"model", model.ToString()}}, is_bad ? 2.0
                                                : freshness.state == ModelFreshness::State::kWarn
                                                    ? 1.0
                                                    : 0.0);
    }
    text.Begin("biwa_assertion_failing_rows", "gauge", "Rows that an assertion found.");
    for (const auto& model : models) {
        for (const auto& assertion : model.assertions) {
            text.Add({{"model", model.name.ToString()}, {"assertion", assertion.name}},
                     static_cast<double>(assertion.failing.count));
        }
    }
}

}  // namespace

std::string MetricsText(const InstanceFacts& facts) {
    Exposition text;
    text.Begin("biwa_info", "gauge", "The instance; always 1.");
    text.Add({{"version", facts.version},
              {"project", facts.project->name},
              {"environment", facts.project->environment}},
             1);
    text.One("process_start_time_seconds", "gauge", "When the process began, since 1970.",
             Seconds(facts.started_at));
    text.One("process_cpu_seconds_total", "counter", "User and system time of the process.",
             facts.cpu_seconds);
    text.One("process_resident_memory_bytes", "gauge", "Memory that the process has in RAM.",
             static_cast<double>(facts.resident_bytes));
    text.One("biwa_warehouse_bytes", "gauge", "Size of the warehouse's files.",
             static_cast<double>(facts.warehouse_bytes));
    text.One("biwa_queries_running", "gauge", "Queries that run.",
             static_cast<double>(facts.queries_running));
    text.One("biwa_queries_waiting", "gauge", "Queries that wait for a place.",
             static_cast<double>(facts.queries_waiting));
    AddStreams(facts.streams, text);
    AddTables(facts.streams, text);
    AddModels(facts, text);
    return text.Take();
}

}  // namespace biwa

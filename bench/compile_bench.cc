// Loads and compiles a project: once, as a program that has just begun does, then again in the same
// process after one file has changed. Prints one line of JSON.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "project/files.h"
#include "project/project.h"
#include "transform/compile/compile.h"

namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point since) {
    return std::chrono::duration<double>(Clock::now() - since).count();
}

double PeakMegabytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1000.0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: compile_bench FOLDER\n", stderr);
        return 64;
    }
    const auto begin = Clock::now();
    const auto project = biwa::LoadProject(argv[1], {});
    if (!project) {
        std::fputs(project.error().ToString().c_str(), stderr);
        return 1;
    }
    const double load_s = Seconds(begin);
    biwa::transform::CompileInput input;
    input.files = (*project)->definitions;
    input.includes = (*project)->includes;
    input.settings = (*project)->models;
    const auto compile = [&] {
        const auto start = Clock::now();
        const auto graph = biwa::transform::Compile(input);
        if (!graph) {
            std::fputs(graph.error().ToString().c_str(), stderr);
            std::exit(1);
        }
        return std::pair(Seconds(start), graph->actions.size());
    };
    const auto [compile_s, actions] = compile();
    const double rss_mb = PeakMegabytes();
    std::vector<double> again;
    for (int i = 0; i < 5; ++i) {
        input.files.front().text += "-- changed\n";  // a .sqlx file
        again.push_back(compile().first);
    }
    std::sort(again.begin(), again.end());
    fmt::print(
        "{{\"actions\": {}, \"load_s\": {:.4f}, \"compile_s\": {:.4f}, \"warm_s\": {:.4f}, "
        "\"rss_mb\": {:.1f}}}\n",
        actions, load_s, compile_s, again[again.size() / 2], rss_mb);
    return 0;
}

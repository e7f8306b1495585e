// Prints what CMS's detector numbers become: a line a function, of "number result" pairs.
#include <iostream>

#include "e2egraph/channels.h"
#include "e2egraph/cms_indices.h"

int main() {
  const auto print = [](const char* name, int first, int last, auto function) {
    std::cout << name;
    for (int i = first; i <= last; ++i)
      if (i != 0)
        std::cout << "," << i << " " << function(i);
    std::cout << "\n";
  };
  print("crystal_row", -85, 85, [](int i) { return e2egraph::crystal_row(i); });
  print("crystal_column", 1, 360, [](int i) { return e2egraph::crystal_column(i); });
  print("tower_row", -28, 28, [](int i) { return e2egraph::tower_row(i); });
  print("tower_column", 1, 72, [](int i) { return e2egraph::tower_column(i); });
  print("hit_channel", 1, 69, [](int i) {
    const auto channel = e2egraph::hit_channel_of(i / 10, i % 10);
    return channel ? static_cast<int>(*channel) : -1;
  });
}

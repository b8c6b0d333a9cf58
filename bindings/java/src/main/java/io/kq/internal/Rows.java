package io.kq.internal;

import io.kq.KqException;
import java.util.ArrayList;
import java.util.List;

/** kq_rows while they are read: freed by {@code close}, nested ones along with theirs. */
public final class Rows implements AutoCloseable {
  private final long rows;
  private final boolean owned;

  public Rows(long rows) {
    this(rows, true);
  }

  private Rows(long rows, boolean owned) {
    this.rows = rows;
    this.owned = owned;
  }

  public int count() {
    return (int) Native.kq_rows_count(rows);
  }

  public KqException error(int row) {
    return Native.kq_rows_error(rows, row);
  }

  public String text(int row, String column) {
    return Native.kq_rows_string(rows, row, column);
  }

  /** Long.MIN_VALUE: null. */
  public long number(int row, String column) {
    return Native.kq_rows_int64(rows, row, column);
  }

  public Rows nested(int row, String column) {
    return new Rows(Native.kq_rows_nested(rows, row, column), false);
  }

  /** The columns of an operation's rows: its whole table. */
  public static List<Column> columns(String operation) {
    List<Column> columns = new ArrayList<>();
    for (Field field; (field = Native.kq_operation_column(operation, columns.size())) != null; ) {
      columns.add(new Column(field.getName(), field.getType()));
    }
    return columns;
  }

  /** Type: 's', 'i', 'b' or 'r'; the name of a nested one has a dot. */
  public record Column(String name, char type) {}

  @Override
  public void close() {
    if (owned) Native.kq_rows_free(rows);
  }
}

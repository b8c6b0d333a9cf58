package kq

import (
	"math"
	"strings"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// row is one of C's rows, while these live.
type row struct {
	rows  ckq.Rows
	index int
}

func (r row) text(column string) string {
	text, _ := ckq.RowsString(r.rows, r.index, column)
	return text
}

// -1 where it is null.
func (r row) number(column string) int64 {
	if number := ckq.RowsInt64(r.rows, int64(r.index), column); number != math.MinInt64 {
		return number
	}
	return -1
}

func (r row) failure() error {
	if failure := ckq.RowsError(r.rows, int64(r.index)); failure != nil {
		return borrowed(failure)
	}
	return nil
}

// nameIn gives a column's name among those with the prefix; false where it is of another level.
func nameIn(name, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	return rest, ok && !strings.Contains(rest, ".")
}

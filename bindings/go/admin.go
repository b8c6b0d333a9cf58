package kq

import (
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"sync"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Admin manages topics, configurations and groups.  Goroutines may share it.
//
// Every operation goes by Run; the methods are those that most programs need.  Operations lists all of them.
type Admin struct{ core *adminCore }

type adminCore struct {
	handle
	native ckq.Admin
	log    *logPipe
	watch  *watch

	lock    sync.Mutex
	last    uint64
	waiting map[uint64]chan answer
}

type answer struct {
	rows []Row
	err  error
}

// NewAdmin makes an admin.  servers is a comma-separated list of HOST:PORT.  It connects in the background.
func NewAdmin(ctx context.Context, servers string, options ...Option) (*Admin, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	s, err := gather(servers, options)
	if err != nil {
		return nil, err
	}
	log, err := s.openLog()
	if err != nil {
		return nil, err
	}
	config, err := s.config()
	if err != nil {
		log.close()
		return nil, err
	}
	defer ckq.ConfigFree(config)
	core := &adminCore{handle: handle{what: "admin"}, log: log, waiting: map[uint64]chan answer{}}
	var native ckq.Admin // C may be pointed at this, but not at a struct of Go's
	if err := taken(ckq.AdminNew(config, &native)); err != nil {
		log.close()
		return nil, err
	}
	core.native = native
	if core.watch, err = newWatch(ckq.AdminFd(core.native)); err != nil {
		ckq.AdminFree(core.native)
		log.close()
		return nil, err
	}
	go core.run()
	a := &Admin{core}
	runtime.SetFinalizer(a, func(a *Admin) { go a.core.close() })
	return a, nil
}

// Close ends what is under way with ErrClosed.  Closing twice does nothing.
func (a *Admin) Close() error {
	if a.core == nil {
		return nil
	}
	runtime.SetFinalizer(a, nil)
	a.core.close()
	return nil
}

// Item holds the parameters of an operation, or of one of its items: string, bool, any integer, []byte, []string, or nil for one to be
// left out.
type Item map[string]any

// Row is one of an operation's rows: string, int64, []byte, []Row, or nil by column, and the row's own error.
type Row struct {
	Columns map[string]any
	Err     error
}

// String gives a text column, "" where it is null or not there.
func (r Row) String(column string) string { text, _ := r.Columns[column].(string); return text }

// Int gives a number, -1 where it is null or not there.
func (r Row) Int(column string) int64 {
	if number, ok := r.Columns[column].(int64); ok {
		return number
	}
	return -1
}

// Rows gives nested rows.
func (r Row) Rows(column string) []Row { rows, _ := r.Columns[column].([]Row); return rows }

// Operation is one that Run knows.
type Operation struct {
	Name, Doc  string
	Parameters []Field
	Columns    []Field
}

// Field is a parameter or a column of an operation.
type Field struct {
	Name     string // nested columns have a dot: "partitions.leader"
	Kind     byte   // 's' string, 'i' integer, 'b' bytes, 'r' rows
	Nullable bool
	Repeated bool // a parameter that takes a []string
	PerItem  bool // a parameter of each item, and not of the request
	Default  string
	Doc      string
}

// Operations lists what Run can do.
func Operations() []Operation {
	var all []Operation
	for i := range int(ckq.OperationCount()) {
		name := ckq.OperationName(int64(i))
		all = append(all, Operation{name, ckq.OperationDoc(name), fields(name, ckq.OperationParameter), fields(name, ckq.OperationColumn)})
	}
	return all
}

func fields(operation string, get func(string, int) (ckq.Field, bool)) []Field {
	var list []Field
	for i := 0; ; i++ {
		f, ok := get(operation, i)
		if !ok {
			return list
		}
		list = append(list, Field{f.Name, f.Kind, f.Nullable, f.Repeated, f.PerItem, f.Default, f.Doc})
	}
}

// Run runs an operation of kq's table (see Operations, or kq.h).  The parameters are those of the request as a whole; each item adds its
// own.  The error is that of the request; rows have their own.
func (a *Admin) Run(ctx context.Context, operation string, parameters Item, items ...Item) ([]Row, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(a)
	if a.core == nil {
		return nil, errNotMade
	}
	request, err := newRequest(operation, parameters, items)
	if err != nil {
		return nil, err
	}
	defer ckq.RequestFree(request)
	return a.core.start(ctx, request)
}

func newRequest(operation string, parameters Item, items []Item) (request ckq.Request, err error) {
	if err := checkText("operation", operation); err != nil {
		return nil, err
	}
	if err := taken(ckq.RequestNew(operation, &request)); err != nil {
		return nil, err
	}
	err = set(request, parameters)
	for i, item := range items {
		if i > 0 && err == nil {
			err = taken(ckq.RequestItem(request))
		}
		if err == nil {
			err = set(request, item)
		}
	}
	if err != nil {
		ckq.RequestFree(request)
		return nil, err
	}
	return request, nil
}

func set(request ckq.Request, parameters Item) error {
	for name, value := range parameters {
		if err := setOne(request, name, value); err != nil {
			return err
		}
	}
	return nil
}

func setOne(request ckq.Request, name string, value any) error {
	if err := checkText("parameter", name); err != nil {
		return err
	}
	number := func(n int64) error { return taken(ckq.RequestInt64(request, name, n)) }
	switch value := value.(type) {
	case nil:
		return nil
	case string:
		if err := checkText(name, value); err != nil {
			return err
		}
		return taken(ckq.RequestString(request, name, value))
	case []string:
		for _, each := range value {
			if err := setOne(request, name, each); err != nil {
				return err
			}
		}
		return nil
	case []byte:
		return taken(ckq.RequestBytes(request, name, value))
	case bool:
		if value {
			return number(1)
		}
		return number(0)
	case int:
		return number(int64(value))
	case int32:
		return number(int64(value))
	case int64:
		return number(value)
	}
	return wrongArgument("parameter %q is a %T: string, bool, int, int32, int64, []byte, []string and nil can be given", name, value)
}

func (c *adminCore) start(ctx context.Context, request ckq.Request) ([]Row, error) {
	come := make(chan answer, 1)
	c.lock.Lock()
	c.last++
	tag := c.last
	c.waiting[tag] = come
	c.lock.Unlock()
	defer func() {
		c.lock.Lock()
		delete(c.waiting, tag)
		c.lock.Unlock()
	}()
	if err := c.enter(); err != nil {
		return nil, err
	}
	err := taken(ckq.AdminStart(c.native, request, tag))
	c.leave()
	if err != nil {
		return nil, err
	}
	select {
	case a := <-come:
		return a.rows, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run hands out answers until the admin is closed.
func (c *adminCore) run() {
	for {
		var failure error
		err := c.watch.until(context.Background(), func() bool {
			failure = c.takeAnswers()
			return failure != nil
		})
		if err != nil || failure != nil {
			if errors.Is(err, os.ErrClosed) || failure == nil {
				failure = closedError("admin")
			}
			c.tellAll(failure)
			return
		}
	}
}

func (c *adminCore) takeAnswers() error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	for {
		var rows ckq.Rows
		if err := taken(ckq.AdminPoll(c.native, 0, &rows)); err != nil {
			return err
		}
		if rows == nil {
			return nil
		}
		a := answer{}
		if failure := ckq.RowsFailure(rows); failure != nil {
			a.err = borrowed(failure)
		} else {
			a.rows = readRows(rows, columnsOf(ckq.RowsOperation(rows)), "")
		}
		c.lock.Lock()
		come := c.waiting[ckq.RowsTag(rows)]
		c.lock.Unlock()
		if come != nil {
			come <- a
		}
		ckq.RowsFree(rows)
	}
}

func (c *adminCore) tellAll(err error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, come := range c.waiting {
		select {
		case come <- answer{err: err}:
		default:
		}
	}
}

func (c *adminCore) close() {
	c.watch.close()
	c.end(func() {
		ckq.AdminFree(c.native)
		c.log.close()
	})
	c.tellAll(closedError("admin"))
}

func columnsOf(operation string) []Field { return fields(operation, ckq.OperationColumn) }

// readRows makes Go's rows of C's; prefix is that of the nested columns' names, "partitions.".
func readRows(rows ckq.Rows, columns []Field, prefix string) []Row {
	list := make([]Row, ckq.RowsCount(rows))
	for i := range list {
		list[i].Columns = map[string]any{}
		if failure := ckq.RowsError(rows, int64(i)); failure != nil {
			list[i].Err = borrowed(failure)
		}
		for _, column := range columns {
			if name, ok := nameIn(column.Name, prefix); ok {
				list[i].Columns[name] = readValue(rows, i, name, column, columns)
			}
		}
	}
	return list
}

func readValue(rows ckq.Rows, row int, name string, column Field, columns []Field) any {
	switch column.Kind {
	case 's':
		if text, ok := ckq.RowsString(rows, row, name); ok {
			return text
		}
	case 'i':
		if number := ckq.RowsInt64(rows, int64(row), name); number != math.MinInt64 {
			return number
		}
	case 'b':
		if bytes := ckq.RowsBytes(rows, row, name); bytes != nil {
			return bytes
		}
	case 'r':
		if nested := ckq.RowsNested(rows, int64(row), name); nested != nil {
			return readRows(nested, columns, column.Name+".")
		}
	}
	return nil
}

package router

type failure struct{ key, wanted, seen string }

func (c every) why(v *view) failure    { return failure{} }
func (c some) why(v *view) failure     { return failure{} }
func (c negation) why(v *view) failure { return failure{} }
func (c *look) why(v *view) failure    { return failure{} }
func (w *when) why(v *view) failure    { return failure{} }

print("switchyard-load")
